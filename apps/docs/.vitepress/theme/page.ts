// What the site does to a page that it shows, beyond the theme of VitePress.
import { useData, useRoute } from 'vitepress';
import { onMounted, watch } from 'vue';

interface Element {
  media: string;
  setAttribute(name: string, value: string): void;
}
declare const document: { querySelectorAll(selector: string): Iterable<Element> };

export function adaptPage(): void {
  const { isDark } = useData();
  const route = useRoute();
  const apply = () => {
    // Pictures with a dark variant follow the switch of the site. It may differ from the setting of
    // the system, which `prefers-color-scheme` tells.
    for (const source of document.querySelectorAll('picture > source[media]'))
      source.media = isDark.value ? 'all' : 'not all';
    // The home page of the theme has no main landmark.
    for (const home of document.querySelectorAll('.VPHome')) home.setAttribute('role', 'main');
  };
  onMounted(() => watch([isDark, () => route.path], apply, { immediate: true, flush: 'post' }));
}
