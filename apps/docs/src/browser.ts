// The browser of the walks. None is downloaded.
import { existsSync } from 'node:fs';

/** A Chromium or Chrome of this machine. */
export function browserPath(): string {
  const { CHROME_PATH } = process.env;
  const places = [CHROME_PATH ?? '', '/usr/bin/chromium', '/usr/bin/google-chrome'];
  const found = places.find((path) => path !== '' && existsSync(path));
  if (found === undefined) throw new Error('no Chromium: install one, or set CHROME_PATH');
  return found;
}
