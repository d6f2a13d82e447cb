import { splitAccount } from '../../lib/names.ts';

/** An identity as far as it says which person it is: names as tables hold them. */
export type Identity = {
  /** The stored name, such as `key/alice`. */
  readonly name: string;
  readonly principal: string;
  /** The one person or workload behind the principal; see Caller. */
  readonly subject: string;
};

/**
 * Which identities are one person. What is in one set of `is` is one person, and so is what two
 * sets share: identities are joined transitively.
 */
export type People = {
  /** All keys that stand for the person of this identity, sorted; never empty. */
  readonly keysOf: (identity: Identity) => readonly string[];
  /** The stored names that this person is known to have, this identity's own first. */
  readonly namesOf: (identity: Identity) => readonly string[];
};

/**
 * A person of Identity Center is the same one in every account, so their name counts without its
 * account; all other names count whole.
 */
export function withoutSsoAccount(name: string): string {
  const [, rest] = splitAccount(name);
  return rest.startsWith('sso/') ? rest : name;
}

/** What an identity is known by: each of these alone makes two identities one person. */
function marksOf({ name, principal, subject }: Identity): readonly string[] {
  // A role has many people behind it, unless it is the subject itself.
  return [
    ...new Set([withoutSsoAccount(name), subject, ...(principal === subject ? [principal] : [])]),
  ];
}

/** Joins marks: each set of marks that share one, directly or by others, gets the same root. */
function createUnion() {
  const parents = new Map<string, string>();

  function rootOf(mark: string): string {
    const parent = parents.get(mark);
    if (parent === undefined || parent === mark) return mark;
    const root = rootOf(parent);
    parents.set(mark, root);
    return root;
  }

  function join(a: string, b: string): void {
    const [left, right] = [rootOf(a), rootOf(b)].toSorted();
    if (left !== undefined && right !== undefined && left !== right) parents.set(right, left);
  }

  function members(): readonly string[] {
    return [...new Set([...parents.keys(), ...parents.values()])];
  }

  return { rootOf, join, members };
}

/**
 * Makes what tells persons apart.
 *
 * @param sets names (as tables hold them), principals and subjects; those of one set are one person
 * @param keyNames the stored name of each registered key by its id: two keys of one name are one
 *   person
 */
export function createPeople(
  sets: readonly (readonly string[])[],
  keyNames: ReadonlyMap<string, string> = new Map(),
): People {
  const union = createUnion();
  for (const [id, name] of keyNames) union.join(`sentinel:key/${id}`, name);
  for (const [first = '', ...rest] of sets.map((set) => set.map(withoutSsoAccount))) {
    for (const other of rest) union.join(first, other);
  }

  function keysOf(identity: Identity): readonly string[] {
    return [...new Set(marksOf(identity).map((mark) => union.rootOf(mark)))].toSorted();
  }

  function namesOf(identity: Identity): readonly string[] {
    const keys = new Set(keysOf(identity));
    const others = union.members().filter((mark) => isName(mark) && keys.has(union.rootOf(mark)));
    return [...new Set([withoutSsoAccount(identity.name), ...others.toSorted()])];
  }

  return { keysOf, namesOf };
}

/** Whether a mark is a name, and not the ARN or the key id of a principal. */
function isName(mark: string): boolean {
  return !mark.startsWith('arn:') && !mark.startsWith('sentinel:key/');
}

/** Whether two identities are one person. */
export function isOnePerson(people: People, a: Identity, b: Identity): boolean {
  const keys = new Set(people.keysOf(a));
  return people.keysOf(b).some((key) => keys.has(key));
}

/** Of a list with several identities of a person, the first identity of each. */
export function firstOfEachPerson<Item extends Identity>(
  people: People,
  items: readonly Item[],
): readonly Item[] {
  const first: Item[] = [];
  for (const item of items) {
    if (!first.some((other) => isOnePerson(people, other, item))) first.push(item);
  }
  return first;
}
