// Lets pictures with a dark variant follow the switch of the site. It may differ from the setting
// of the system, which `prefers-color-scheme` tells.
import { useData, useRoute } from 'vitepress';
import { onMounted, watch } from 'vue';

declare const document: { querySelectorAll(selector: string): Iterable<{ media: string }> };

export function followSwitch(): void {
  const { isDark } = useData();
  const route = useRoute();
  const apply = () => {
    for (const source of document.querySelectorAll('picture > source[media]'))
      source.media = isDark.value ? 'all' : 'not all';
  };
  onMounted(() => watch([isDark, () => route.path], apply, { immediate: true, flush: 'post' }));
}
