import { parseArn } from '../../lib/arn.ts';
import { toName, toStoredName, type NamedKind } from '../../lib/names.ts';
import { hasWildcard } from '../arn-pattern.ts';
import type { PeopleDocument } from '../documents/people.ts';
import type { KnownCallers } from '../known-callers.ts';
import { questionPrincipal, questionUserName } from '../question-names.ts';
import { parseUserName } from '../user-names.ts';
import type { Candidate, Candidates } from './filling.ts';
import { createPeople, type People } from './person.ts';

type Clients = ReadonlyMap<string, { readonly name: string }>;

/** Who is one person, by the document of people and the registered keys. */
export function toPeople(
  people: PeopleDocument | undefined,
  clients: Clients,
  bareNames: NamedKind,
): People {
  const keyNames = new Map([...clients].map(([id, { name }]) => [id, `key/${name}`]));
  const sets = (people?.rules ?? []).map(({ is }) =>
    is.map((entry) =>
      /^(?:arn:|sentinel:)/u.test(entry) ? entry : toStoredName(entry, bareNames),
    ),
  );
  return createPeople(sets, keyNames);
}

/** An entry that means one caller; of a name nothing else is known. */
function one(entry: string, name: string, isBot: boolean): Candidate {
  return { name, subject: entry, principal: entry, isMany: false, isBot };
}

/** The name of an IAM user by its ARN, as tables hold it; undefined for what is no user. */
function userNameOf(entry: string, { ownAccount }: KnownCallers): string | undefined {
  const arn = parseArn(entry);
  if (!arn.ok || !arn.value.resource.startsWith('user/')) return undefined;
  const { account, resource } = arn.value;
  const bare = resource.slice(resource.lastIndexOf('/') + 1);
  return toName('user', bare, 'key', account === ownAccount ? undefined : account);
}

/** Whether behind a role there are persons, whose session names are trusted. */
function hasPersons(
  entry: string,
  { trustedSessionRoles, ssoAccounts, ownAccount }: KnownCallers,
): boolean {
  const [, account = ownAccount, role = ''] = /::(\d{12}):role\/(.+)$/u.exec(entry) ?? [];
  if (role.startsWith('AWSReservedSSO_') && ssoAccounts.includes(account)) return true;
  return trustedSessionRoles.some(
    ({ arn }) => arn.includes(`::${account}:`) && arn.endsWith(`/${role}`),
  );
}

function ofPrincipal(entry: string, known: KnownCallers): Candidate | undefined {
  if (questionPrincipal(entry, known) !== undefined) return undefined;
  const isRole = /^arn:[^:]*:iam::[^:]*:role\//u.test(entry);
  if (hasWildcard(entry) || (isRole && hasPersons(entry, known)))
    return { name: entry, subject: entry, principal: entry, isMany: true, isBot: false };
  return one(entry, userNameOf(entry, known) ?? entry, isRole);
}

function ofName(entry: string, known: KnownCallers): Candidate | undefined {
  const parsed = parseUserName(entry, known);
  if (!parsed.ok) return undefined;
  const { kind, bare, session } = parsed.value;
  // A user or a person may be called as a key is; that is a doubt, and no more.
  const isDoubt = kind !== 'key' && kind !== 'role' && known.keyNames.has(bare);
  if (!isDoubt && questionUserName(entry, known) !== undefined) return undefined;
  const name = toStoredName(entry, known.bareNames);
  return one(name, name, kind === 'role' && session === undefined);
}

/** Whom entries of lists mean, by all that is known of callers. */
export function toKnownCandidates(
  known: KnownCallers,
  people: PeopleDocument | undefined,
  clients: Clients,
): Candidates {
  function toCandidate(entry: string): Candidate | undefined {
    return /^(?:arn:|sentinel:)/u.test(entry) ? ofPrincipal(entry, known) : ofName(entry, known);
  }

  return { people: toPeople(people, clients, known.bareNames), toCandidate };
}
