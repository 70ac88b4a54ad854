// The formats that can be imported, and finding out which one a source is.
import { misused } from '../failure.ts';
import { importAgentgateway, isAgentgateway } from './agentgateway.ts';
import { importAkamai, isAkamai } from './akamai.ts';
import type { Draft } from './draft.ts';
import { importKrakend, isKrakend } from './krakend.ts';
import { importOkera, isOkera } from './okera.ts';
import type { Source, SourceNode } from './source.ts';

/** The formats, in the order in which they are listed. */
export const FORMATS = ['krakend', 'akamai', 'agentgateway', 'okera'] as const;

/** What a gateway's configuration is called here. */
export type Format = (typeof FORMATS)[number];

interface Importer {
  /** For people. */
  readonly title: string;
  isIt(root: SourceNode): boolean;
  /** @param directory where settings with paths of their own are applied */
  put(draft: Draft, source: Source, directory: string): void | Promise<void>;
}

const IMPORTERS: Readonly<Record<Format, Importer>> = {
  krakend: { title: 'KrakenD', isIt: isKrakend, put: (draft, source) => importKrakend(draft, only(source)) },
  akamai: { title: 'Akamai', isIt: isAkamai, put: (draft, source) => importAkamai(draft, only(source)) },
  agentgateway: {
    title: 'agentgateway',
    isIt: isAgentgateway,
    put: (draft, source) => importAgentgateway(draft, source.documents),
  },
  okera: { title: 'Okera', isIt: isOkera, put: importOkera },
};

/** What a format is called by people. */
export function titleOf(format: Format): string {
  return IMPORTERS[format].title;
}

/** Which format a source is. @throws Failure where none fits, or more than one */
export function detectFormat(source: Source): Format {
  const [found, another] = FORMATS.filter((format) => source.documents.some(IMPORTERS[format].isIt));
  if (found === undefined)
    throw misused(
      `${source.name}: is no configuration that is known; say which it is: ${FORMATS.join(', ')}`,
    );
  if (another !== undefined)
    throw misused(`${source.name}: could be ${found} or ${another}; say which it is`);
  return found;
}

/** Says in a draft what a source says. @throws Failure with the place */
export async function readInto(
  draft: Draft,
  format: Format,
  source: Source,
  directory: string,
): Promise<void> {
  await IMPORTERS[format].put(draft, source, directory);
}

function only({ documents, name }: Source): SourceNode {
  const [first, another] = documents;
  if (first === undefined || another !== undefined) throw misused(`${name}: expected one document`);
  return first;
}
