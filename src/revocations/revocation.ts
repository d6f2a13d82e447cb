/** What is revoked. */
export type RevocationTarget =
  /** Everything from everybody: the freeze switch. */
  | { readonly kind: 'all' }
  /** Everybody whom policies call by this name, as tables hold it: `key/alice`. */
  | { readonly kind: 'user'; readonly value: string }
  /** One principal, in all its sessions: an ARN, or `sentinel:key/<id>`. */
  | { readonly kind: 'principal'; readonly value: string }
  /** One profile, for everybody. */
  | { readonly kind: 'profile'; readonly value: string }
  /** What one request for an approval, or one use of break-glass, allows; `value` is its id. */
  | { readonly kind: 'grant'; readonly value: string; readonly profile: string }
  /**
   * One session, which is its subject on its profile, under any label. `value` is the session's id.
   * Sessions of Sentinel's own have no subject (it is empty); then everybody with the user's name
   * is meant.
   */
  | {
      readonly kind: 'session';
      readonly value: string;
      readonly subject: string;
      readonly user: string;
      readonly profile: string;
    };

/** A revocation as it stands in the log. Times in epoch milliseconds. */
export type Revocation = {
  /** Its number in the log. */
  readonly n: number;
  readonly target: RevocationTarget;
  readonly reason: string;
  /** Who revoked: the name as tables hold it, and the principal. */
  readonly by: string;
  readonly byPrincipal: string;
  readonly createdAt: number;
  /** When it ends by itself; undefined if only lifting ends it. */
  readonly until: number | undefined;
  /**
   * Whether the subject itself revoked it, or the TVM did not sign it: then it reaches nobody but
   * the subject.
   */
  readonly own: boolean;
};

/** Why a caller is refused: what is revoked, and when that ends by itself. */
export type Block = Pick<Revocation, 'target' | 'until'>;

/** A caller, by all that revocations may name. */
export type RevocationSubject = {
  /** The name as documents have it, which others may have written into the tables. */
  readonly name: string;
  readonly storedName: string;
  readonly principal: string;
  readonly subject: string;
};

/** The revocations in force, in memory, for decisions. */
export type RevocationBook = {
  /** Adds a revocation, or replaces the one of its number; one that was lifted stays lifted. */
  readonly add: (revocation: Revocation) => void;
  /** Removes a revocation for good: adding its number later changes nothing. */
  readonly lift: (n: number) => void;
  /**
   * The revocation of this caller, by name or principal, if there is one. It does not look at
   * `all`.
   */
  readonly ofCaller: (subject: RevocationSubject, now: number) => Revocation | undefined;
  /** A revocation of whatever kind that refuses this caller this profile, if there is one. */
  readonly ofVend: (
    subject: RevocationSubject,
    profile: string,
    now: number,
  ) => Revocation | undefined;
  /** Whether a grant was ended before its time. */
  readonly ofGrant: (id: string, now: number) => Revocation | undefined;
  /**
   * Whether there is a revocation of this caller behind a number of the log, be it lifted. The
   * freeze switch is none.
   */
  readonly wasRevokedAfter: (subject: RevocationSubject, n: number) => boolean;
  /** The revocation of everything, if there is one. */
  readonly frozen: (now: number) => Revocation | undefined;
  /** The revocations in force, by number. */
  readonly list: (now: number) => readonly Revocation[];
  /** The revocation of a number, if it is in force. */
  readonly find: (n: number, now: number) => Revocation | undefined;
  /** How many are held, among them some that have ended since they were last looked up. */
  readonly size: () => number;
};

function keyOf(target: RevocationTarget): string {
  switch (target.kind) {
    case 'all':
      return 'all';
    case 'session':
      return target.subject === ''
        ? `session of user\n${target.user}\n${target.profile}`
        : `session\n${target.subject}\n${target.profile}`;
    case 'user':
    case 'principal':
    case 'profile':
    case 'grant':
      return `${target.kind}\n${target.value}`;
  }
}

function isLive({ until }: Revocation, now: number): boolean {
  return until === undefined || now < until;
}

/** An empty book. Looking up costs the same however many revocations there are. */
export function createRevocationBook(): RevocationBook {
  const byNumber = new Map<number, Revocation>();
  const byKey = new Map<string, Set<Revocation>>();
  /**
   * The last number of those that named a caller, by what they named, whether or not they were
   * lifted.
   */
  const lastOf = new Map<string, number>();
  /**
   * The numbers that were lifted: entries may come twice, and a lifting before the entry that it
   * lifts.
   */
  const lifted = new Set<number>();

  function remove(revocation: Revocation): void {
    byNumber.delete(revocation.n);
    const key = keyOf(revocation.target);
    const alike = byKey.get(key);
    alike?.delete(revocation);
    if (alike?.size === 0) byKey.delete(key);
  }

  function live(key: string, now: number): Revocation | undefined {
    for (const revocation of byKey.get(key) ?? []) {
      if (isLive(revocation, now)) return revocation;
      remove(revocation);
    }
    return undefined;
  }

  function ofCaller(
    { name, storedName, principal }: RevocationSubject,
    now: number,
  ): Revocation | undefined {
    return (
      live(`user\n${storedName}`, now) ??
      live(`user\n${name}`, now) ??
      live(`principal\n${principal}`, now)
    );
  }

  function note({ n, target }: Revocation): void {
    if (target.kind !== 'user' && target.kind !== 'principal') return;
    const key = keyOf(target);
    lastOf.set(key, Math.max(n, lastOf.get(key) ?? 0));
  }

  function add(revocation: Revocation): void {
    note(revocation);
    if (lifted.has(revocation.n)) return;
    const before = byNumber.get(revocation.n);
    if (before !== undefined) remove(before);
    byNumber.set(revocation.n, revocation);
    const key = keyOf(revocation.target);
    const alike = byKey.get(key) ?? new Set();
    byKey.set(key, alike.add(revocation));
  }

  function lift(n: number): void {
    lifted.add(n);
    const revocation = byNumber.get(n);
    if (revocation !== undefined) remove(revocation);
  }

  function ofVend(
    subject: RevocationSubject,
    profile: string,
    now: number,
  ): Revocation | undefined {
    return (
      live('all', now) ??
      ofCaller(subject, now) ??
      live(`profile\n${profile}`, now) ??
      live(`session\n${subject.subject}\n${profile}`, now) ??
      live(`session of user\n${subject.storedName}\n${profile}`, now) ??
      live(`session of user\n${subject.name}\n${profile}`, now)
    );
  }

  function ofGrant(id: string, now: number): Revocation | undefined {
    return live(`grant\n${id}`, now);
  }

  function wasRevokedAfter({ name, storedName, principal }: RevocationSubject, n: number): boolean {
    const keys = [`user\n${storedName}`, `user\n${name}`, `principal\n${principal}`];
    return keys.some((key) => (lastOf.get(key) ?? 0) > n);
  }

  function frozen(now: number): Revocation | undefined {
    return live('all', now);
  }

  function list(now: number): readonly Revocation[] {
    return [...byNumber.values()]
      .filter((revocation) => isLive(revocation, now))
      .toSorted((a, b) => a.n - b.n);
  }

  function size(): number {
    return byNumber.size;
  }

  function find(n: number, now: number): Revocation | undefined {
    const revocation = byNumber.get(n);
    return revocation !== undefined && isLive(revocation, now) ? revocation : undefined;
  }

  return { add, lift, ofCaller, ofVend, ofGrant, wasRevokedAfter, frozen, list, size, find };
}
