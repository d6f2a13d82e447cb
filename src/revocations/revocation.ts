/** What a revocation takes away, and from whom. */
export type RevocationTarget =
  /** Everything from everybody: the freeze switch. */
  | { readonly kind: 'all' }
  /** Whoever policies call by this name, as names are stored: `key/alice`. */
  | { readonly kind: 'user'; readonly value: string }
  /** One principal, in all its sessions: an ARN, or `sentinel:key/<id>`. */
  | { readonly kind: 'principal'; readonly value: string }
  /** One profile, from everybody. */
  | { readonly kind: 'profile'; readonly value: string }
  /** What one request for an approval, or one use of break-glass, allows; `value` is its id. */
  | { readonly kind: 'grant'; readonly value: string; readonly profile: string }
  /**
   * One session: its subject on its profile, under whatever label. `value` is its id. Sentinel's own sessions know no
   * subject (then it is empty); then it is whoever has the user's name.
   */
  | {
      readonly kind: 'session';
      readonly value: string;
      readonly subject: string;
      readonly user: string;
      readonly profile: string;
    };

/** A revocation as it stands in the log of them. Times in epoch milliseconds. */
export type Revocation = {
  /** Its number in the log. */
  readonly n: number;
  readonly target: RevocationTarget;
  readonly reason: string;
  /** Who revoked, by stored name and by principal. */
  readonly by: string;
  readonly byPrincipal: string;
  readonly createdAt: number;
  /** When it ends by itself; undefined if only lifting ends it. */
  readonly until?: number;
  /** Whether its subject itself revoked it, or nobody vouches for who did: then it reaches nobody else. */
  readonly own?: boolean;
};

/** Why a caller is refused: what is revoked, and when that ends by itself. */
export type Block = Pick<Revocation, 'target' | 'until'>;

/** Who asks, as revocations tell callers apart. */
export type RevocationSubject = {
  /** As documents have it: what others wrote into the tables may say so. */
  readonly name: string;
  readonly storedName: string;
  readonly principal: string;
  readonly subject: string;
};

/** What is in force, for decisions in memory. */
export type RevocationBook = {
  /** Adds a revocation, in the place of what was known by its number; a lifted one stays lifted. */
  readonly add: (revocation: Revocation) => void;
  /** Takes a lifted one out, for good: whoever adds it again, or only then, changes nothing. */
  readonly lift: (n: number) => void;
  /** Whether this caller gets nothing at all: revoked by name or principal. The freeze switch is another question. */
  readonly ofCaller: (subject: RevocationSubject, now: number) => Revocation | undefined;
  /** Whether this caller gets nothing for this profile, for whatever reason. */
  readonly ofVend: (subject: RevocationSubject, profile: string, now: number) => Revocation | undefined;
  /** Whether a grant was ended before its time. */
  readonly ofGrant: (id: string, now: number) => Revocation | undefined;
  /** Whether there is a revocation of this caller behind a number of the log, be it lifted. The freeze switch is none. */
  readonly wasRevokedAfter: (subject: RevocationSubject, n: number) => boolean;
  /** The freeze switch. */
  readonly frozen: (now: number) => Revocation | undefined;
  /** All that are in force, by number. */
  readonly list: (now: number) => readonly Revocation[];
  readonly find: (n: number, now: number) => Revocation | undefined;
  /** How many there are, those that have ended since nobody asked for them included. */
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
  /** The last number of those that named a caller, by what they named, whether or not they were lifted. */
  const lastOf = new Map<string, number>();
  /** Entries may come twice, and a lifting before what it lifts: what is lifted stays so. */
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

  function ofCaller({ name, storedName, principal }: RevocationSubject, now: number): Revocation | undefined {
    return live(`user\n${storedName}`, now) ?? live(`user\n${name}`, now) ?? live(`principal\n${principal}`, now);
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

  function ofVend(subject: RevocationSubject, profile: string, now: number): Revocation | undefined {
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
    return [...byNumber.values()].filter((revocation) => isLive(revocation, now)).toSorted((a, b) => a.n - b.n);
  }

  function size() {
    return byNumber.size;
  }

  function find(n: number, now: number): Revocation | undefined {
    const revocation = byNumber.get(n);
    return revocation !== undefined && isLive(revocation, now) ? revocation : undefined;
  }

  return { add, lift, ofCaller, ofVend, ofGrant, wasRevokedAfter, frozen, list, size, find };
}
