import { createHash } from 'node:crypto';
import { toRolePrincipal } from '../lib/arn.ts';
import type { NamedKind } from '../lib/names.ts';
import type { Client } from '../policy/documents/client.ts';
import type { OperatorsDocument } from '../policy/documents/operators.ts';
import type { Profile } from '../policy/documents/profile.ts';
import type { WebhookDocument } from '../policy/documents/webhook.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import { namesOfOperators, type RuleNames } from '../policy/lint-names.ts';
import { createJudge } from './judge.ts';
import {
  readStoredClient,
  readStoredOperators,
  readStoredOther,
  readStoredPolicy,
  readStoredProfile,
  readStoredSealingKey,
  readStoredWebhook,
  type Read,
  type ReadPolicy,
  type SingleDocuments,
  type StoredDocument,
  type StoredSealingKey,
} from './read-document.ts';
import type { Rejection, Snapshot } from './snapshot.ts';

/** The two trees of documents, with their roots. */
export type DocumentTrees = {
  readonly root: string;
  readonly secretsRoot: string;
  readonly documents: Iterable<StoredDocument>;
  readonly secrets: Iterable<StoredDocument>;
  /** Whether demo keys are accepted, which is so only where the AWS in use is a local one. */
  readonly demoKeys: boolean;
  /** The TVM's own account. */
  readonly account: string;
};

/** The default settings: bare names mean registered keys, and no other account is allowed. */
const PLAIN_SETTINGS: NameSettings = {
  bareNames: 'key',
  allowedAccounts: undefined,
  ssoAccounts: [],
  trustedSessionRoles: [],
};

/** The result of compiling all documents. */
export type Compiled = Pick<
  Snapshot,
  | 'version'
  | 'profiles'
  | 'clients'
  | 'sealingKeys'
  | 'webhook'
  | 'operators'
  | 'approvalPolicy'
  | 'people'
  | 'breakGlassPolicy'
  | 'breakGlassRates'
  | 'rejections'
  | 'findings'
> & {
  /** Principals of all roles that profiles name, to vend them or to revoke through them. */
  readonly roles: readonly string[];
};

/** The last result of reading a document. */
type Remembered = Pick<StoredDocument, 'type' | 'text'> & {
  readonly read: Read<unknown>;
  /** SHA-256 of the document's name, type and text. */
  readonly hash: Buffer;
};

/** Gives what a document was read as; undefined if it was refused, which becomes a rejection. */
type ReadOnce = <Value>(document: StoredDocument, read: () => Read<Value>) => Value | undefined;

/**
 * Makes the function that compiles the documents in SSM. A broken document is left out and reported
 * with the line of each problem; so is what depends on it, and nothing else. Parameters with
 * unknown names are ignored.
 *
 * The function remembers how it read each document until the text or type changes, because YAML
 * takes about a millisecond a document and documents seldom change. It yields after each document,
 * so that its caller can let others use the event loop.
 *
 * @param settings which callers can exist; the same for the life of the process
 */
export function createDocumentCompiler(
  settings: NameSettings = PLAIN_SETTINGS,
): (trees: DocumentTrees) => Generator<void, Compiled> {
  const judge = createJudge(settings);
  let before = new Map<string, Remembered>();

  function* compile(trees: DocumentTrees): Generator<void, Compiled> {
    const remembered = new Map<string, Remembered>();
    const rejections: Rejection[] = [];
    function readOnce<Value>(document: StoredDocument, read: () => Read<Value>): Value | undefined {
      const { name, type, text } = document;
      const last = before.get(name);
      // A parameter's name alone determines how it is read, so the last result has the same type.
      const isSame = last?.type === type && last.text === text;
      const now: Remembered = isSame ? last : { type, text, read: read(), hash: hashOf(document) };
      remembered.set(name, now);
      const result = now.read as Read<Value>;
      if (result.ok) return result.value;
      rejections.push({ parameter: name, problems: result.refusal });
      return undefined;
    }
    // Read every document by itself.
    const { policies, profiles, others, ...single } = yield* readDocuments(
      trees,
      readOnce,
      settings.bareNames,
    );
    const version = versionOf(remembered.values());
    const { clients, ...secrets } = yield* readSecrets(trees, readOnce);
    before = remembered;
    // Compare the documents with each other.
    const { root, account } = trees;
    const roles = yield* rolesOf(profiles);
    const { approvalPolicy, people } = single;
    const judged = yield* judge({
      policies,
      profiles,
      others,
      approvalPolicy,
      people,
      root,
      account,
      clients,
      roles,
    });
    return {
      ...judged,
      version,
      clients,
      ...secrets,
      ...single,
      roles,
      rejections: [...rejections, ...judged.rejections],
    };
  }

  return compile;
}

function hashOf({ name, type, text }: StoredDocument): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([name, type, text]))
    .digest();
}

/** By the hashes of all documents, in the order of their names. */
function versionOf(documents: Iterable<Remembered>): string {
  const all = createHash('sha256');
  for (const { hash } of documents) all.update(hash);
  return all.digest('hex').slice(0, 16);
}

function* readDocuments(
  { root, documents }: DocumentTrees,
  readOnce: ReadOnce,
  bareNames: NamedKind,
) {
  const policies = new Map<string, ReadPolicy>();
  const profiles = new Map<string, Profile>();
  const others = new Map<string, readonly RuleNames[]>();
  let operators: OperatorsDocument | undefined;
  const kept: { -readonly [Name in keyof SingleDocuments]?: SingleDocuments[Name] } = {};
  const broken = new Set<string>();
  for (const document of documents) {
    const path = document.name.slice(root.length + 1);
    const [kind, name] = splitFirst(path);
    if (kind === 'policies') {
      const policy = readOnce(document, () => readStoredPolicy(document, name, bareNames));
      setIfRead(policies, name, policy);
    } else if (kind === 'profiles') {
      const profile = readOnce(document, () => readStoredProfile(document, name));
      setIfRead(profiles, name, profile);
    } else if (path === 'operators') {
      operators = readOnce(document, () => readStoredOperators(document, bareNames));
      setIfRead(others, path, operators === undefined ? undefined : namesOfOperators(operators));
    } else {
      const other = readOnce(document, () => readStoredOther(document, path, bareNames));
      setIfRead(others, path, other?.names);
      Object.assign(kept, other?.kept);
      if (other === undefined) broken.add(path);
    }
    yield;
  }
  return { policies, profiles, others, operators, ...toSingle(kept, broken) };
}

/** What the absence of people and of rates allows, a broken document of them does not. */
function toSingle(kept: Partial<SingleDocuments>, broken: ReadonlySet<string>) {
  const { approvalPolicy, breakGlassPolicy, people, breakGlassRates } = kept;
  return {
    approvalPolicy,
    breakGlassPolicy,
    people: broken.has('people') ? ('broken' as const) : people,
    breakGlassRates: broken.has('break-glass-rate-policy') ? ('broken' as const) : breakGlassRates,
  };
}

function* readSecrets({ secretsRoot, secrets, demoKeys }: DocumentTrees, readOnce: ReadOnce) {
  const clients = new Map<string, Client>();
  const sealingKeys = new Map<string, StoredSealingKey>();
  let webhook: WebhookDocument | undefined;
  for (const document of secrets) {
    const path = document.name.slice(secretsRoot.length + 1);
    const [kind, id] = splitFirst(path);
    if (kind === 'clients') {
      const client = readOnce(document, () => readStoredClient(document, id, demoKeys));
      setIfRead(clients, id, client);
    } else if (kind === 'keys') {
      const sealingKey = readOnce(document, () => readStoredSealingKey(document, id));
      setIfRead(sealingKeys, id, sealingKey);
    } else if (path === 'webhook') {
      // Where demo keys are accepted, the AWS in use is local.
      webhook = readOnce(document, () => readStoredWebhook(document, demoKeys));
    }
    yield;
  }
  return { clients, sealingKeys, webhook };
}

/** Splits a path at its first slash. The rest is empty if there is none. */
function splitFirst(path: string): readonly [first: string, rest: string] {
  const slash = path.indexOf('/');
  return slash === -1 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
}

function setIfRead<Value>(map: Map<string, Value>, name: string, value: Value | undefined): void {
  if (value !== undefined) map.set(name, value);
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
