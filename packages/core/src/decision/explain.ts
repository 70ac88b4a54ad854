// `explain`: runs a decision with a trace, and writes each check as text. Makes no decision of its
// own.
import type { RequestView } from '../credentials/request.ts';
import type { AuthErrorCode } from '../errors.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { textOf } from '../values/text.ts';
import type { CompiledAccess } from './access.ts';
import {
  type ExplainedCheck,
  keysetCheck,
  outcomeOf,
  outcomeOfEither,
  refusalText,
  registeredTexts,
  ruleCheck,
  type StageEvent,
  whySkipped,
  withoutCodes,
} from './explain-texts.ts';
import type { Pipeline } from './pipeline.ts';
import type { AuthenticatorSettings } from './settings.ts';
import type { Trace, TraceEvent } from './trace.ts';

/** A decision, with all checks that led to it. For operators: never send it to the client. */
export interface Explanation {
  readonly allowed: boolean;
  /** 200, or the status of the refusal. */
  readonly status: number;
  /** Undefined if the request is allowed. */
  readonly code: AuthErrorCode | undefined;
  readonly detail: string | undefined;
  /** True if a trusted key or endpoint vouches for the claims that the checks show. */
  readonly verified: boolean;
  /** In the order of the decision. Checks after a failed one show what they would have decided. */
  readonly checks: readonly ExplainedCheck[];
}

/**
 * Decides on a token or a request, on a route with this access, and records each check. A mode is
 * for requests: a token is there.
 */
export async function explain(
  subject: string | RequestView,
  access: CompiledAccess,
  settings: AuthenticatorSettings,
  pipeline: Pipeline,
): Promise<Explanation> {
  const recorder = createRecorder(settings);
  const decision = await (typeof subject === 'string'
    ? pipeline.decideOnToken(subject, access.claims, recorder.trace, access)
    : pipeline.decide(subject, access, recorder.trace));
  const { code, status, detail } = decision.ok
    ? { code: undefined, status: 200, detail: undefined }
    : decision.error;
  return {
    allowed: decision.ok,
    status,
    code,
    detail,
    verified: recorder.isVerified(),
    checks: recorder.checks(),
  };
}

function createRecorder(settings: AuthenticatorSettings) {
  let checks: ExplainedCheck[] = [];
  const places: ExplainedCheck[] = [];
  const keysets = new Map<Keyset, ExplainedCheck>();
  /** Registered claims of a wrong type: no other checks of them are shown. */
  const misshapen = new Set<string>();
  let isVerified = false;

  const write: {
    readonly [S in TraceEvent['stage']]: (event: StageEvent<S>) => void;
  } = {
    place: ({ place, hasToken, refusal }) => {
      const found = hasToken
        ? ({ outcome: 'passed', detail: 'a token is here' } as const)
        : ({ outcome: 'skipped', detail: 'no token here' } as const);
      const outcome = refusal === undefined ? found : refusalText(refusal);
      places.push({ check: 'credentials', about: place, ...outcome });
    },
    credentials: ({ refusal }) => {
      const about = {
        check: 'credentials',
        about: 'the request',
        expected: 'one token in one place',
      } as const;
      const isMissing = refusal?.code === 'credentials_missing';
      const outcome = isMissing ? ({ ...outcomeOf(refusal), actual: 'none' } as const) : outcomeOf(refusal);
      checks.push({ ...about, checks: places, ...outcome });
    },
    anonymous: ({ mode }) => {
      // The request passes without a principal, so none of these checks refuses it.
      checks = [...withoutCodes(checks)];
      const detail = `anonymous, which mode ${mode} lets pass`;
      checks.push({ check: 'credentials', about: 'the caller', outcome: 'passed', detail });
    },
    remote: ({ outcome, detail, refusal }) => {
      const { url } = settings.remote ?? { url: undefined };
      const about = { check: 'remote', about: `${url?.origin}${url?.pathname}` } as const;
      const texts = {
        'not asked': 'is not asked: this is not a bearer token',
        accepted: 'the endpoint accepts it',
        rejected: 'the endpoint refuses it',
        unavailable: detail ?? 'the endpoint did not answer',
      } as const;
      const without = outcome === 'accepted' ? 'passed' : 'skipped';
      const said = refusal === undefined ? ({ outcome: without } as const) : refusalText(refusal);
      checks.push({ ...about, ...said, detail: texts[outcome] });
    },
    'remote undecided': ({ refusal }) => {
      checks = checks.map((check) =>
        check.check === 'remote' ? { ...check, ...outcomeOf(refusal) } : check,
      );
    },
    'remote system': ({ refusal }) => {
      // The reason is a key source that is unavailable, which has been shown already.
      if (refusal?.status === 503) return;
      checks = [...withoutCodes(checks)];
      checks.push({ check: 'claims', about: 'sub', ...outcomeOf(refusal) });
    },
    form: ({ refusal }) => {
      const expected = 'a compact JWS of strict JSON';
      checks.push({ check: 'form', about: 'the token', expected, ...outcomeOf(refusal) });
    },
    typ: ({ typ, types, keyset, refusal }) => {
      const expected = [...types].map((type) => type ?? 'absent').join(' or ');
      const about = keyset === undefined ? 'typ' : `typ for ${keyset.name}`;
      checks.push({ check: 'type', about, expected, actual: textOf(typ), ...outcomeOf(refusal) });
    },
    algorithm: ({ alg, refusal }) => {
      checks.push({ check: 'algorithm', about: 'alg', actual: textOf(alg), ...outcomeOf(refusal) });
    },
    issuer: ({ issuer, vouchedBy, refusal }) => {
      const byEndpoint = settings.issuers === undefined ? 'a string, if present' : 'one of issuers';
      const expected = vouchedBy === 'key' ? issuersText(settings) : byEndpoint;
      checks.push({ check: 'issuer', about: 'iss', actual: textOf(issuer), expected, ...outcomeOf(refusal) });
    },
    keyset: (event) => void keysets.set(event.keyset, keysetCheck(event)),
    signature: (event) => {
      const { candidates, refusal, signedBy } = event;
      // The refusal of an issuer without keysets has been shown already.
      if (candidates.length === 0) return;
      const asked = [...new Set([...event.keysets, ...candidates])].map(
        (keyset): ExplainedCheck =>
          keysets.get(keyset) ?? {
            check: 'keys',
            about: keyset.name,
            outcome: 'skipped',
            detail: whySkipped(keyset, event) ?? 'is not asked: an earlier keyset has decided',
          },
      );
      const about = {
        check: 'keys',
        about: 'the signature',
        expected: 'made with a key of this issuer',
      } as const;
      const actual = signedBy && { actual: `signed by ${signedBy.name}` };
      checks.push({ ...about, checks: asked, ...actual, ...outcomeOf(refusal) });
    },
    'claims set': (event) => {
      isVerified = event.isVerified;
    },
    'registered claim': (event) => {
      const { check, claims, refusal } = event;
      const { claim, shown } = check;
      if (misshapen.has(claim) || (shown === 'if failed' && refusal === undefined)) return;
      if (shown === 'if present' && !Object.hasOwn(claims, claim)) return;
      if (shown === 'if failed') misshapen.add(claim);
      checks.push({ check: 'registered claims', about: claim, ...registeredTexts(event) });
    },
    'token itself': ({ claim, value, refusal }) => {
      const about = { check: 'registered claims', about: `${claim} of the token itself` } as const;
      checks.push({ ...about, actual: textOf(value), ...outcomeOf(refusal) });
    },
    'system subject': ({ refusal }) => {
      const expected = 'signed by a keyset with system: true';
      checks.push({ check: 'claims', about: 'sub', expected, ...outcomeOf(refusal) });
    },
    claims: (event) => void checks.push(ruleCheck(event)),
    route: (event) => void checks.push(ruleCheck(event)),
    groups: ({ principal, refusal }) => {
      const about = {
        check: 'groups',
        about: settings.groups?.order.join(', ') ?? 'scope and groups',
      } as const;
      if (refusal !== undefined) checks.push({ ...about, ...refusalText(refusal) });
      else if (settings.groups !== undefined)
        checks.push(
          principal === undefined
            ? { ...about, outcome: 'skipped', detail: 'groups are not looked up for a token that is refused' }
            : { ...about, outcome: 'passed', actual: textOf(principal.groups) },
        );
    },
    possession: ({ about, refusal }) => {
      checks.push({ check: 'possession', about, ...outcomeOf(refusal) });
    },
    revocation: ({ kind, refusal }) => {
      const texts = {
        expected: 'no revocation of its jti, sid, sub, client or issuer',
        actual: kind === undefined ? 'none known' : `one of its ${kind}`,
      } as const;
      checks.push({ check: 'revocation', about: 'the list of revocations', ...texts, ...outcomeOf(refusal) });
    },
    'route caller': ({ refusal, wouldRefuse }) => {
      const texts = { expected: 'a principal', actual: 'anonymous' } as const;
      const outcome = wouldRefuse === undefined ? 'failed' : 'would refuse';
      const { code } = refusal ?? wouldRefuse ?? {};
      checks.push({ check: 'route', about: 'the caller', ...texts, outcome, code });
    },
    'route requirement': (event) => {
      const { about, expected, actual } = event;
      checks.push({ check: 'route', about, expected, actual: textOf(actual), ...outcomeOfEither(event) });
    },
  };

  const trace: Trace = (event) => (write[event.stage] as (event: TraceEvent) => void)(event);
  return { trace, checks: () => checks, isVerified: () => isVerified };
}

/** The issuers of all keysets: of many, the first ones. */
function issuersText({ keysets }: AuthenticatorSettings): string {
  const issuers = [...new Set(keysets.flatMap(({ issuer }) => issuer ?? []))];
  if (issuers.length === 0) return 'the issuer of a keyset';
  const shown = issuers.slice(0, MAX_ISSUERS).map((issuer) => textOf(issuer));
  const rest = issuers.length - shown.length;
  return `the issuer of a keyset: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

const MAX_ISSUERS = 10;
