import { toRolePrincipal } from '../lib/arn.ts';
import type { NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { readAccessPolicy } from '../policy/documents/access-policy.ts';
import { readApprovalPolicy } from '../policy/documents/approval-policy.ts';
import { readBreakGlassPolicy } from '../policy/documents/break-glass-policy.ts';
import { readBreakGlassRatePolicy } from '../policy/documents/break-glass-rate-policy.ts';
import { readClientDocument, type Client } from '../policy/documents/client.ts';
import { compileAccessPolicy } from '../policy/compile.ts';
import type { DocumentProblem } from '../policy/reading/document.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import {
  namesOfAccessPolicy,
  namesOfApprovalPolicy,
  namesOfBreakGlass,
  namesOfOperators,
  type RuleNames,
} from '../policy/lint-names.ts';
import { lint } from '../policy/lint.ts';
import { readOperators, type OperatorsDocument } from '../policy/documents/operators.ts';
import { sayProblem } from '../policy/reading/problem.ts';
import { isProfileName } from '../lib/profile-name.ts';
import { readProfile, type Profile } from '../policy/documents/profile.ts';
import { isDemoSecret } from '../policy/documents/weak-secret.ts';
import { readSealingKey, type SealingKeyDocument } from '../policy/documents/sealing-key.ts';
import { createJudge, type ReadPolicy } from './judge.ts';
import type { Rejection, Snapshot } from './snapshot.ts';

/** One parameter of SSM, as far as the catalog needs it. */
export type StoredDocument = { readonly name: string; readonly type: string; readonly text: string };

/** The two trees of documents, and where they lie. */
export type DocumentTrees = {
  readonly root: string;
  readonly secretsRoot: string;
  readonly documents: Iterable<StoredDocument>;
  readonly secrets: Iterable<StoredDocument>;
  /** Whether demo keys are accepted: only where the AWS in use is a desk's. */
  readonly demoKeys: boolean;
  /** The TVM's own account. */
  readonly account: string;
};

/** Keys own bare names, and nobody from elsewhere is let in. */
const PLAIN_SETTINGS: NameSettings = {
  bareNames: 'key',
  allowedAccounts: undefined,
  ssoAccounts: [],
  trustedSessionRoles: [],
};

/** What the documents say, all of them together. */
export type Compiled = Pick<
  Snapshot,
  'profiles' | 'clients' | 'sealingKeys' | 'operators' | 'rejections' | 'findings'
> & {
  /** Principals of all roles that a profile names, to vend them or to revoke through them. */
  readonly roles: readonly string[];
};
type Read<Value> = Result<Value, readonly string[]>;

/** A document as it was read last time; it is read again only when its text changes. */
type Remembered = Pick<StoredDocument, 'type' | 'text'> & { readonly read: Read<unknown> };

type ReadDocument = <Value>(document: StoredDocument, read: () => Read<Value>) => Value | undefined;

/**
 * Makes the function that compiles what SSM holds. A document that is broken is left out and named with its line; whatever
 * depends on it is left out too, and only that. Parameters of unknown names are none of the catalog's business.
 *
 * The function remembers its last result, for YAML is dear (about a millisecond a document) and seldom changes. It
 * yields after each document, so that whoever runs it can let others have the event loop between them.
 *
 * @param settings which callers there can be, for as long as the process lives
 */
export function createDocumentCompiler(
  settings: NameSettings = PLAIN_SETTINGS,
): (trees: DocumentTrees) => Generator<void, Compiled> {
  const judge = createJudge(settings);
  let before = new Map<string, Remembered>();
  return function* compile(trees) {
    const remembered = new Map<string, Remembered>();
    const rejections: Rejection[] = [];
    const readOnce: ReadDocument = <Value>(document: StoredDocument, read: () => Read<Value>) => {
      const { name, type, text } = document;
      const last = before.get(name);
      // What a name was read as depends on the name alone, so the last result is of the same type.
      const result = last?.type === type && last.text === text ? (last.read as Read<Value>) : read();
      remembered.set(name, { type, text, read: result });
      if (result.ok) return result.value;
      rejections.push({ parameter: name, problems: result.refusal });
      return undefined;
    };
    const { policies, profiles, others, operators } = yield* compileDocuments(trees, readOnce, settings.bareNames);
    const secrets = yield* compileSecrets(trees, readOnce);
    before = remembered;
    const roles = yield* rolesOf(profiles);
    const judged = yield* judge({ ...trees, policies, profiles, others, roles, clients: secrets.clients });
    return {
      ...secrets,
      ...judged,
      operators,
      roles,
      rejections: [...rejections, ...judged.rejections],
    };
  };
}

function* compileDocuments({ root, documents }: DocumentTrees, readOnce: ReadDocument, bareNames: NamedKind) {
  const policies = new Map<string, ReadPolicy>();
  const profiles = new Map<string, Profile>();
  const others = new Map<string, readonly RuleNames[]>();
  let operators: OperatorsDocument | undefined;
  for (const document of documents) {
    const path = document.name.slice(root.length + 1);
    const [kind = '', name = ''] = splitFirst(path);
    if (kind === 'policies')
      store(
        policies,
        name,
        readOnce(document, () => readNamed(document, name, (text) => readPolicy(text, bareNames))),
      );
    else if (kind === 'profiles')
      store(
        profiles,
        name,
        readOnce(document, () => readNamed(document, name, readProfileDocument)),
      );
    else if (path === 'operators') {
      operators = readOnce(document, () => sentences(readOperators(document.text, bareNames)));
      store(others, path, operators === undefined ? undefined : namesOfOperators(operators));
    } else
      store(
        others,
        path,
        readOnce(document, () => readOther(path, document, bareNames)),
      );
    yield;
  }
  return { policies, profiles, others, operators };
}

function* compileSecrets({ secretsRoot, secrets, demoKeys }: DocumentTrees, readOnce: ReadDocument) {
  const clients = new Map<string, Client>();
  const sealingKeys = new Map<string, SealingKeyDocument & { readonly id: string }>();
  for (const document of secrets) {
    const [kind = '', id = ''] = splitFirst(document.name.slice(secretsRoot.length + 1));
    if (kind === 'clients')
      store(
        clients,
        id,
        readOnce(document, () => readClient(document, id, demoKeys)),
      );
    if (kind === 'keys')
      store(
        sealingKeys,
        id,
        readOnce(document, () => readSealing(document, id)),
      );
    yield;
  }
  return { clients, sealingKeys };
}

function splitFirst(path: string): readonly string[] {
  const slash = path.indexOf('/');
  return slash === -1 ? [path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function store<Value>(map: Map<string, Value>, name: string, value: Value | undefined): void {
  if (value !== undefined) map.set(name, value);
}

function toSentences(problems: readonly DocumentProblem[]): readonly string[] {
  return problems.map(sayProblem);
}

function sentences<Value>(read: Result<Value, readonly DocumentProblem[]>): Read<Value> {
  return read.ok ? read : refuse(toSentences(read.refusal));
}

function readNamed<Value>(
  { type, text }: StoredDocument,
  name: string,
  read: (text: string) => Read<Value>,
): Read<Value> {
  if (!isProfileName(name)) return refuse([`"${name}" is not a profile's name`]);
  if (type === 'SecureString') return refuse(['policies and profiles are stored as String, not as SecureString']);
  return read(text);
}

function readPolicy(text: string, bareNames: NamedKind): Read<ReadPolicy> {
  const document = sentences(readAccessPolicy(text, bareNames));
  if (!document.ok) return document;
  const { value } = document;
  return ok({ policy: compileAccessPolicy(value), names: namesOfAccessPolicy(value), findings: lint(value), text });
}

function readProfileDocument(text: string): Read<Profile> {
  return sentences(readProfile(text));
}

/**
 * Documents of which only the form is checked so far, and whom they name; secrets that lie where others can read them. Of
 * what is none of ours nobody is named.
 */
function readOther(path: string, { text }: StoredDocument, bareNames: NamedKind): Read<readonly RuleNames[]> {
  if (/^(?:clients|keys)\//u.test(path)) {
    return refuse(['secrets must lie under SENTINEL_SECRETS_ROOT: who may read a path in SSM reads all below it']);
  }
  if (path === 'approval-policy') return named(readApprovalPolicy(text, bareNames), namesOfApprovalPolicy);
  if (path === 'break-glass-policy') return named(readBreakGlassPolicy(text, bareNames), namesOfBreakGlass);
  if (path === 'break-glass-rate-policy') return named(readBreakGlassRatePolicy(text), namesOfBreakGlass);
  return ok([]);
}

function named<Value>(
  read: Result<Value, readonly DocumentProblem[]>,
  namesOf: (value: Value) => readonly RuleNames[],
): Read<readonly RuleNames[]> {
  return read.ok ? ok(namesOf(read.value)) : refuse(toSentences(read.refusal));
}

const DEMO_KEY = /^(?:TVMDEMO|AKIADEMO)/iu;

function readClient({ type, text }: StoredDocument, id: string, demoKeys: boolean): Read<Client> {
  if (!/^\w{1,128}$/u.test(id)) return refuse(['an access key id is letters, digits and "_"']);
  if (type !== 'SecureString') return refuse(['client keys must be stored as SecureString']);
  if (!demoKeys && DEMO_KEY.test(id))
    return refuse(['demo keys are refused outside a local AWS; delete this parameter']);
  const read = sentences(readClientDocument(text));
  const isDemo = read.ok && isDemoSecret(read.value.secret);
  return isDemo && !demoKeys ? refuse(['the secret of the demo is refused outside a local AWS; draw another']) : read;
}

function readSealing({ type, text }: StoredDocument, id: string): Read<SealingKeyDocument & { readonly id: string }> {
  if (!/^[\w-]{1,64}$/u.test(id)) return refuse(['the id of a sealing key is 1 to 64 letters, digits, "_" and "-"']);
  if (type !== 'SecureString') return refuse(['sealing keys must be stored as SecureString']);
  const document = sentences(readSealingKey(text));
  return document.ok ? ok({ ...document.value, id }) : document;
}

function* rolesOf(profiles: ReadonlyMap<string, Profile>) {
  const principals = new Set<string>();
  for (const { roleArn, revokerRoleArn } of profiles.values()) {
    for (const arn of [roleArn, revokerRoleArn]) {
      const principal = arn === undefined ? undefined : toRolePrincipal(arn);
      if (principal !== undefined) principals.add(principal);
    }
    yield;
  }
  return [...principals];
}
