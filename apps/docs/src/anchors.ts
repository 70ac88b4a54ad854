// The anchors of headings, as GitHub makes them, so that a link works there and on the site.

/** The anchor of a heading. */
export function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
}
