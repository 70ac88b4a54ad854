// What the site does to a page that it shows, beyond the theme of VitePress.
import { useRoute } from 'vitepress';
import { onMounted, watch } from 'vue';

interface Element {
  setAttribute(name: string, value: string): void;
}
declare const document: { querySelectorAll(selector: string): Iterable<Element> };

export function adaptPage(): void {
  const route = useRoute();
  const apply = () => {
    // The home page of the theme has no main landmark.
    for (const home of document.querySelectorAll('.VPHome')) home.setAttribute('role', 'main');
  };
  onMounted(() => watch(() => route.path, apply, { immediate: true, flush: 'post' }));
}
