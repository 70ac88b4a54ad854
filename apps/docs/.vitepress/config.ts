import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { slugify } from '../src/anchors.ts';
import { NOT_ON_SITE, PAGES, REPOSITORY, ROOT, resolveLink } from '../src/pages.ts';
import { sidebar } from '../src/sidebar.ts';

export default defineConfig({
  title: 'Latchkey',
  description: 'Checks JSON Web Tokens for HTTP services on Node, Deno and Bun.',
  lang: 'en',
  srcDir: PAGES,
  srcExclude: NOT_ON_SITE.map((folder) => `${folder}/**`),
  outDir: `${ROOT}/apps/docs/dist`,
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
    },
  },
  // The pages are outside of this package, where no Vue is installed.
  vite: {
    resolve: {
      alias: ['vue/server-renderer', 'vue'].map((name) => ({
        find: new RegExp(`^${name}$`),
        replacement: fileURLToPath(import.meta.resolve(name)),
      })),
    },
  },
  themeConfig: {
    sidebar: [...sidebar()].map((group) => ({ ...group, items: [...group.items] })),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
  },
});
