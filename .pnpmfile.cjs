// What `pnpm pack` and `pnpm publish` leave out of the manifests. Development dependencies name
// packages that are not published, and no script runs at an installed package.
module.exports = {
  hooks: {
    beforePacking(manifest) {
      const { devDependencies: _development, scripts: _scripts, ...published } = manifest;
      return published;
    },
  },
};
