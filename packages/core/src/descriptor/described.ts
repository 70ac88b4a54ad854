// The authenticator of a descriptor, as applications see it: each call goes to the texts that
// decide at that time. When they change is in follow.ts.
import type { Authenticator, AuthenticatorReport } from '../decision/authenticator.ts';
import { noteParts, partsOf } from '../decision/notice-parts.ts';
import { NO_NAMES, namesOf, noteNames } from '../decision/route-names.ts';
import { ofThisCopy } from '../values/copies.ts';
import type { DescriptorTexts } from './texts.ts';

/** The state of a descriptor. */
export interface DescriptorReport {
  readonly file: string;
  /**
   * `refused`: the file has changed and cannot be used, so the options from before are in force.
   * What the change forbids is refused already.
   */
  readonly state: 'applied' | 'refused';
  /** The reason, for logs. */
  readonly problem: string | undefined;
}

/** The state of an authenticator and of the file that it follows. */
export interface DescribedAuthenticatorReport extends AuthenticatorReport {
  readonly descriptor: DescriptorReport;
}

/** An authenticator that follows a descriptor. */
export interface DescribedAuthenticator extends Authenticator {
  report(): DescribedAuthenticatorReport;
  /**
   * Reads the file now; this also happens by itself whenever the file changes. Resolves when the
   * content of the file is in force. A file without an end mark must first stay unchanged for two
   * seconds.
   * @throws ConfigError, AuthError if the file cannot be used; the options from before then stay in
   *   force, and what the change forbids is refused
   */
  reload(): Promise<void>;
}

/** What the following of a file adds to the texts. */
interface Following extends Pick<DescribedAuthenticator, 'reload' | 'close'> {
  report(): DescriptorReport;
}

/** Makes the authenticator of a descriptor. */
export function describedBy(texts: DescriptorTexts, following: Following): DescribedAuthenticator {
  const described = Object.freeze<DescribedAuthenticator>({
    ...ofThisCopy,
    kind: 'authenticator',
    get mode() {
      return texts.current.authenticator.mode;
    },
    get readsBody() {
      return texts.current.authenticator.readsBody;
    },
    get resources() {
      return texts.current.authenticator.resources;
    },
    onRefusal: texts.current.settings.onRefusal,
    authenticate: (request, ...access) => texts.deciding.authenticate(request, ...access),
    decide: (request, ...access) => texts.deciding.decide(request, ...access),
    verify: (token, ...rules) => texts.deciding.verify(token, ...rules),
    explain: (subject, ...asked) => texts.deciding.explain(subject, ...asked),
    conceal: (request) => texts.deciding.conceal(request),
    revoke: (revocation) => texts.current.authenticator.revoke(revocation),
    ready: () => texts.current.authenticator.ready(),
    start: (...wait) => texts.current.authenticator.start(...wait),
    report: () => ({ ...texts.current.authenticator.report(), descriptor: following.report() }),
    reload: following.reload,
    close: following.close,
  });
  noteNames(described, () => namesOf(texts.current.authenticator) ?? NO_NAMES);
  noteParts(described, () => partsOf(texts.current.authenticator) ?? []);
  return described;
}
