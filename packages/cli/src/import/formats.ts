// The formats that can be imported, and the detection of the format of a source. Each format has
// its own file.
import { misused } from '../failure.ts';
import { importAgentgateway, isAgentgateway } from './agentgateway.ts';
import { importAkamai, isAkamai } from './akamai.ts';
import type { Draft } from './draft.ts';
import { importEnvoy, isEnvoy } from './envoy.ts';
import { importKrakend, isKrakend } from './krakend.ts';
import { importOkera, isOkera } from './okera.ts';
import type { Source, SourceNode } from './source.ts';

/** The formats, in the order in which they are listed. */
export const FORMATS = ['krakend', 'akamai', 'agentgateway', 'envoy', 'okera'] as const;

/** The name of a format. */
export type Format = (typeof FORMATS)[number];

/** What the user chose. */
export interface ImportChoices {
  /** The directory to which paths in the settings are relative. */
  readonly directory: string;
  /** The only endpoint to import. Default: all. For KrakenD. */
  readonly endpoint?: string | undefined;
}

interface Importer {
  /** The name in messages. */
  readonly title: string;
  isIt(root: SourceNode): boolean;
  put(draft: Draft, source: Source, choices: ImportChoices): void | Promise<void>;
}

const IMPORTERS: Readonly<Record<Format, Importer>> = {
  krakend: {
    title: 'KrakenD',
    isIt: isKrakend,
    put: (draft, source, { endpoint }) => importKrakend(draft, only(source), endpoint),
  },
  akamai: { title: 'Akamai', isIt: isAkamai, put: (draft, source) => importAkamai(draft, only(source)) },
  agentgateway: {
    title: 'agentgateway',
    isIt: isAgentgateway,
    put: (draft, source) => importAgentgateway(draft, source.documents),
  },
  envoy: { title: 'Envoy', isIt: isEnvoy, put: (draft, source) => importEnvoy(draft, only(source)) },
  okera: {
    title: 'Okera',
    isIt: isOkera,
    put: (draft, source, { directory }) => importOkera(draft, source, directory),
  },
};

/** Returns the name of a format in messages. */
export function titleOf(format: Format): string {
  return IMPORTERS[format].title;
}

/** Detects the format of a source. @throws Failure if none fits, or more than one */
export function detectFormat(source: Source): Format {
  const [found, another] = FORMATS.filter((format) => source.documents.some(IMPORTERS[format].isIt));
  if (found === undefined)
    throw misused(
      `${source.name}: is not a known configuration; name its format before it, one of ${FORMATS.join(', ')}, as in: latchkey import envoy ${source.name}`,
    );
  if (another !== undefined)
    throw misused(`${source.name}: could be ${found} or ${another}; name its format`);
  return found;
}

/** Adds the content of a source to a draft. @throws Failure with the place */
export async function readInto(
  draft: Draft,
  format: Format,
  source: Source,
  choices: ImportChoices,
): Promise<void> {
  await IMPORTERS[format].put(draft, source, choices);
}

function only({ documents, name }: Source): SourceNode {
  const [first, another] = documents;
  if (first === undefined || another !== undefined) throw misused(`${name}: expected one document`);
  return first;
}
