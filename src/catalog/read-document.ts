import type { NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { findApprovalErrors } from '../policy/approval/load-errors.ts';
import { compileAccessPolicy, type CompiledPolicy } from '../policy/compile.ts';
import { readAccessPolicy } from '../policy/documents/access-policy.ts';
import {
  readApprovalPolicy,
  type ApprovalPolicyDocument,
} from '../policy/documents/approval-policy.ts';
import {
  readBreakGlassPolicy,
  type BreakGlassPolicyDocument,
} from '../policy/documents/break-glass-policy.ts';
import {
  readBreakGlassRatePolicy,
  type BreakGlassRatePolicyDocument,
} from '../policy/documents/break-glass-rate-policy.ts';
import { readClientDocument, type Client } from '../policy/documents/client.ts';
import { readPeople, type PeopleDocument } from '../policy/documents/people.ts';
import { readOperators, type OperatorsDocument } from '../policy/documents/operators.ts';
import { readProfile, type Profile } from '../policy/documents/profile.ts';
import { readSealingKey, type SealingKeyDocument } from '../policy/documents/sealing-key.ts';
import { readWebhook, type WebhookDocument } from '../policy/documents/webhook.ts';
import { isDemoSecret } from '../policy/documents/weak-secret.ts';
import {
  namesOfAccessPolicy,
  namesOfApprovalPolicy,
  namesOfBreakGlass,
  namesOfPeople,
  type RuleNames,
} from '../policy/lint-names.ts';
import { lint, type LintFinding } from '../policy/lint.ts';
import { checkProfile } from '../policy/profile-name.ts';
import type { DocumentProblem } from '../policy/reading/document.ts';
import { sayProblem, toSentence } from '../policy/reading/problem.ts';
import { readTree } from '../policy/reading/yaml-tree.ts';

/** The parts of an SSM parameter that the catalog needs. */
export type StoredDocument = {
  readonly name: string;
  readonly type: string;
  readonly text: string;
};

/** What a document was read as, or a sentence for each of its problems. */
export type Read<Value> = Result<Value, readonly string[]>;

/** An access policy as it was read, with what is needed to compare it with other documents. */
export type ReadPolicy = {
  readonly policy: CompiledPolicy;
  readonly names: readonly RuleNames[];
  /** The findings of its text alone. */
  readonly findings: readonly LintFinding[];
  /** The document, to find the lines of problems. */
  readonly text: string;
};

/** The documents of which there is one each, as they were read. */
export type SingleDocuments = {
  readonly approvalPolicy: ApprovalPolicyDocument;
  readonly people: PeopleDocument;
  readonly breakGlassPolicy: BreakGlassPolicyDocument;
  readonly breakGlassRates: BreakGlassRatePolicyDocument;
};

/** Any other document: the callers and profiles that it names, and what of it is kept. */
export type ReadOther = {
  readonly names: readonly RuleNames[];
  readonly kept: Partial<SingleDocuments>;
};

/** A sealing key with the id in its parameter's name. */
export type StoredSealingKey = SealingKeyDocument & { readonly id: string };

function toRead<Value>(result: Result<Value, readonly DocumentProblem[]>): Read<Value> {
  return result.ok ? result : refuse(result.refusal.map(sayProblem));
}

/** The problem of a policy or profile that is stored under a wrong name or as a wrong type. */
function misplaced({ type }: StoredDocument, profile: string): string | undefined {
  const checked = checkProfile(profile);
  if (!checked.ok) return `the parameter's name is wrong: ${checked.refusal}`;
  if (type === 'SecureString')
    return 'policies and profiles must be stored as String, not as SecureString';
  return undefined;
}

/** Reads `policies/<profile>`: an access policy. */
export function readStoredPolicy(
  document: StoredDocument,
  profile: string,
  bareNames: NamedKind,
): Read<ReadPolicy> {
  const problem = misplaced(document, profile);
  if (problem !== undefined) return refuse([problem]);
  const { text } = document;
  const read = toRead(readAccessPolicy(text, bareNames));
  if (!read.ok) return read;
  const { value } = read;
  return ok({
    policy: compileAccessPolicy(value),
    names: namesOfAccessPolicy(value),
    findings: lint(value),
    text,
  });
}

/** Reads `profiles/<profile>`. */
export function readStoredProfile(document: StoredDocument, profile: string): Read<Profile> {
  const problem = misplaced(document, profile);
  return problem === undefined ? toRead(readProfile(document.text)) : refuse([problem]);
}

/** Reads `operators`. */
export function readStoredOperators(
  { text }: StoredDocument,
  bareNames: NamedKind,
): Read<OperatorsDocument> {
  return toRead(readOperators(text, bareNames));
}

/**
 * Reads any other document of the first tree. Secrets are refused here, where others may read them.
 * A parameter that is not the TVM's names nobody.
 */
export function readStoredOther(
  { text }: StoredDocument,
  path: string,
  bareNames: NamedKind,
): Read<ReadOther> {
  if (/^(?:clients|keys)\/|^webhook$/u.test(path)) {
    return refuse([
      'secrets must be stored under SENTINEL_SECRETS_ROOT, because in SSM whoever may read a path may read everything ' +
        'below it; move this parameter there',
    ]);
  }
  switch (path) {
    case 'approval-policy':
      return readStoredApprovals(text, bareNames);
    case 'people':
      return other(readPeople(text, bareNames), namesOfPeople, (people) => ({ people }));
    case 'break-glass-policy':
      return other(
        readBreakGlassPolicy(text, bareNames),
        namesOfBreakGlass,
        (breakGlassPolicy) => ({
          breakGlassPolicy,
        }),
      );
    case 'break-glass-rate-policy':
      return other(readBreakGlassRatePolicy(text), namesOfBreakGlass, (breakGlassRates) => ({
        breakGlassRates,
      }));
    default:
      return ok({ names: [], kept: {} });
  }
}

/** Reads the approval policy; one with rules that can never work is refused. */
function readStoredApprovals(text: string, bareNames: NamedKind): Read<ReadOther> {
  const read = readApprovalPolicy(text, bareNames);
  const errors = read.ok ? findApprovalErrors(read.value) : [];
  if (errors.length > 0) {
    const tree = readTree(text);
    const lineOf = tree.ok ? tree.value.lineOf : () => 1;
    return refuse(errors.map(({ path, message }) => toSentence(lineOf(path), path, message)));
  }
  return other(read, namesOfApprovalPolicy, (approvalPolicy) => ({ approvalPolicy }));
}

function other<Value>(
  result: Result<Value, readonly DocumentProblem[]>,
  namesOf: (value: Value) => readonly RuleNames[],
  keep: (value: Value) => Partial<SingleDocuments>,
): Read<ReadOther> {
  const read = toRead(result);
  return read.ok ? ok({ names: namesOf(read.value), kept: keep(read.value) }) : read;
}

/** Access key ids of the demo's keys, in any case. */
const DEMO_KEY = /^(?:TVMDEMO|AKIADEMO)/iu;

/**
 * Reads `clients/<access key id>`: a registered key.
 *
 * @param demoKeys whether the demo's ids and secrets, which are public, are accepted
 */
export function readStoredClient(
  { type, text }: StoredDocument,
  id: string,
  demoKeys: boolean,
): Read<Client> {
  if (!/^\w{1,128}$/u.test(id)) {
    return refuse([
      "the access key id in the parameter's name must be 1 to 128 letters, digits and _",
    ]);
  }
  if (type !== 'SecureString') return refuse(['registered keys must be stored as SecureString']);
  if (!demoKeys && DEMO_KEY.test(id)) {
    return refuse(['keys of the demo are accepted only with a local AWS; delete this parameter']);
  }
  const read = toRead(readClientDocument(text));
  if (read.ok && isDemoSecret(read.value.secret) && !demoKeys) {
    return refuse([
      'secrets of the demo are accepted only with a local AWS; generate another secret',
    ]);
  }
  return read;
}

/** Reads `keys/<id>`: a sealing key. */
export function readStoredSealingKey(
  { type, text }: StoredDocument,
  id: string,
): Read<StoredSealingKey> {
  if (!/^[\w-]{1,64}$/u.test(id)) {
    return refuse([
      "the sealing key's id in the parameter's name must be 1 to 64 letters, digits, _ and -",
    ]);
  }
  if (type !== 'SecureString') return refuse(['sealing keys must be stored as SecureString']);
  const read = toRead(readSealingKey(text));
  return read.ok ? ok({ ...read.value, id }) : read;
}

/**
 * Reads `webhook`: the keys of events.
 *
 * @param allowsLoopback whether events may be posted to this machine, over plain http
 */
export function readStoredWebhook(
  { type, text }: StoredDocument,
  allowsLoopback: boolean,
): Read<WebhookDocument> {
  if (type !== 'SecureString') return refuse(['the keys of events must be stored as SecureString']);
  return toRead(readWebhook(text, allowsLoopback));
}
