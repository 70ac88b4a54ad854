import { defineConfig } from 'vitepress';
import { slugify } from '../src/anchors.ts';
import { PAGES, REPOSITORY, ROOT, resolveLink, SITE } from '../src/pages.ts';
import { sidebar } from '../src/sidebar.ts';

export default defineConfig({
  title: 'Latchkey',
  description: 'Checks JSON Web Tokens for HTTP services on Node, Deno and Bun.',
  lang: 'en',
  srcDir: PAGES,
  outDir: SITE,
  cacheDir: `${ROOT}/apps/docs/node_modules/.vitepress`,
  rewrites: (file) => file.replace(/README\.md$/, 'index.md'),
  cleanUrls: true,
  lastUpdated: false,
  markdown: {
    anchor: { slugify },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    // Links are written as GitHub reads them.
    config: (md) => {
      const { link_open: inherited } = md.renderer.rules;
      md.renderer.rules.link_open = (tokens, index, options, env, self) => {
        const token = tokens[index];
        const href = token?.attrGet('href');
        // VitePress gives the path of the file as it is after the rewrites.
        const { realPath, path } = env as { readonly realPath?: string; readonly path: string };
        const from = (realPath ?? path).slice(PAGES.length + 1);
        if (token !== undefined && typeof href === 'string') token.attrSet('href', resolveLink(from, href));
        return inherited === undefined || inherited === null
          ? self.renderToken(tokens, index, options)
          : inherited(tokens, index, options, env, self);
      };
      // The corner of a table has no text, so it is the header of nothing.
      md.core.ruler.push('corners', ({ tokens }) => {
        for (const [index, token] of tokens.entries()) {
          const [content, close] = tokens.slice(index + 1, index + 3);
          if (token.type !== 'th_open' || content?.content !== '' || close === undefined) continue;
          token.tag = 'td';
          close.tag = 'td';
        }
      });
    },
  },
  // The index of the search and long pages of the reference are loaded when they are asked for.
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: '/mark.svg' }],
    ['meta', { name: 'theme-color', content: '#0f766e' }],
  ],
  themeConfig: {
    logo: '/mark.svg',
    nav: [
      { text: 'Start', link: '/start/express', activeMatch: '^/start/' },
      { text: 'Options', link: '/options' },
      { text: 'Providers', link: '/providers/' },
      { text: 'API', link: '/reference/' },
    ],
    sidebar: [...sidebar()].map((group) => ({ ...group, items: [...group.items] })),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
  },
});
