import { randomBytes } from 'node:crypto';
import { createAsk } from '../../src/actions/approvals/ask.ts';
import { createDecideRequest } from '../../src/actions/approvals/decide-request.ts';
import { createDocumentsOf } from '../../src/actions/approvals/documents.ts';
import { createFindGrant } from '../../src/actions/approvals/find-grant.ts';
import { createRequestApproval } from '../../src/actions/approvals/request-approval.ts';
import { createEndGrant } from '../../src/actions/end-grant.ts';
import type { ApprovalRecords } from '../../src/actions/approvals/records.ts';
import type { Operator } from '../../src/actions/operator.ts';
import { unavailable } from '../../src/actions/refusal.ts';
import { toDigest } from '../../src/approvals/digest.ts';
import type { LedgerEntry, Ledgers } from '../../src/approvals/ledger.ts';
import { statusAt, type AccessRequest } from '../../src/approvals/request.ts';
import type { RequestStore } from '../../src/approvals/store.ts';
import type { Snapshot } from '../../src/catalog/snapshot.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { ok, refuse } from '../../src/lib/result.ts';
import type { SealingKey } from '../../src/lib/sealing.ts';
import { compileAccessPolicy } from '../../src/policy/compile.ts';
import { readAccessPolicy } from '../../src/policy/documents/access-policy.ts';
import { readApprovalPolicy } from '../../src/policy/documents/approval-policy.ts';
import { readPeople } from '../../src/policy/documents/people.ts';
import { readProfile } from '../../src/policy/documents/profile.ts';
import type { NewEntry } from '../../src/revocations/writer.ts';
import { createRevocationBook, type Revocation } from '../../src/revocations/revocation.ts';
import { policyDocument, profileDocument } from '../http/support.ts';
import { approvalPolicy } from '../support/approvals.ts';
import { callerWith } from '../support/identity.ts';

/**
 * The actions of approvals on two instances, over tables and a log in memory: each call of a table
 * waits for its turn, so that calls of different actors mix in any order, and may crash its process,
 * or lose its answer. What an approval is worth is counted beside, from what people said, in another
 * way than the TVM's.
 */

/** ann has two keys and a second name. */
const KEYS = {
  ann: 'ann',
  ann2: 'ann',
  anno: 'anno',
  ben: 'ben',
  ben2: 'ben',
  cid: 'cid',
  dot: 'dot',
} as const;
export type Who = keyof typeof KEYS;
export const EVERYBODY = Object.keys(KEYS) as readonly Who[];
const PERSON: Readonly<Record<Who, string>> = {
  ann: 'ann',
  ann2: 'ann',
  anno: 'ann',
  ben: 'ben',
  ben2: 'ben',
  cid: 'cid',
  dot: 'dot',
};

export const PROFILES = ['pair', 'groups', 'later'] as const;
export type ProfileName = (typeof PROFILES)[number];
const ALL = ['ann', 'anno', 'ben', 'cid', 'dot'];
/** How often, and for how long altogether, each profile may be extended. */
const EXTEND = { times: 2, max: '90m' };
const MOST_EXTENDED = 5_400;

/** The groups of each profile, as the oracle counts them. */
const GROUPS: Readonly<
  Record<ProfileName, readonly { readonly from: readonly string[]; readonly need: number }[]>
> = {
  pair: [{ from: ALL, need: 2 }],
  groups: [
    { from: ['ben', 'cid', 'ann'], need: 1 },
    { from: ['ben', 'dot'], need: 1 },
  ],
  later: [{ from: ['ben', 'cid', 'dot'], need: 2 }],
};

const SEALING: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };
const SEALINGS = new Map([[SEALING.id, SEALING]]);

/** What the documents are: the role of the profiles, and whose key is disabled. */
export type Variant = { readonly role: 'a' | 'b'; readonly disabled: Who | undefined };
export const VARIANTS: readonly Variant[] = [
  { role: 'a', disabled: undefined },
  { role: 'b', disabled: undefined },
  { role: 'a', disabled: 'ben' },
  { role: 'a', disabled: 'dot' },
];

function must<Value>(
  read: { readonly ok: true; readonly value: Value } | { readonly ok: false },
): Value {
  if (!read.ok) throw new Error('a document of the model is broken');
  return read.value;
}

function toSnapshot({ role, disabled }: Variant): Snapshot {
  const profile = must(
    readProfile(profileDocument({ role_arn: `arn:aws:iam::000000000000:role/${role}` })),
  );
  const rule = { effect: 'require_approval', conditions: { users: ALL } };
  const policy = compileAccessPolicy(must(readAccessPolicy(policyDocument(rule))));
  const rules = PROFILES.map((name) => ({
    profiles: [name],
    start: name === 'later' ? 'first_use' : 'approval',
    extend: EXTEND,
    require: GROUPS[name].map(({ from, need }, n) => ({ group: `g${n}`, from, approvals: need })),
  }));
  const known = {
    profiles: new Map(PROFILES.map((name) => [name, { name, profile, policy }])),
    clients: new Map(
      Object.entries(KEYS).map(([key, name]) => [
        key,
        { secret: `secret of ${key}`, name, expiresAtMs: undefined, disabled: key === disabled },
      ]),
    ),
    sealingKeys: SEALINGS,
    operators: undefined,
    approvalPolicy: must(readApprovalPolicy(approvalPolicy(...rules))),
    people: must(
      readPeople(JSON.stringify({ version: '1', rules: [{ name: 'ann', is: ['ann', 'anno'] }] })),
    ),
  };
  return known as unknown as Snapshot;
}

const SNAPSHOTS = VARIANTS.map(toSnapshot);

function callerOf(who: Who): Caller {
  const principal = `sentinel:key/${who}`;
  return callerWith({
    principal,
    subject: principal,
    name: KEYS[who],
    storedName: `key/${KEYS[who]}`,
    accessKeyId: who,
  });
}

/**
 * How a call goes: done and answered; not done, or done, and its process dead; done, and its answer
 * lost.
 */
export type Fault = 'ok' | 'crash-before' | 'crash-after' | 'lost';

type Turn = (fault: Fault) => void;

/** Something that somebody said to a request, at least in part. */
type Said = {
  readonly who: Who;
  readonly digest: string;
  readonly seconds: number;
  readonly logged: number;
};

const SECOND = 1_000;
/** What takes longer is given up by whoever waits for it, and not done any more. */
const DEADLINE = 3 * SECOND;

/** One command of a person, or something that happens. */
export type Command =
  | {
      readonly do: 'ask' | 'vend';
      readonly who: Who;
      readonly on: number;
      readonly profile: ProfileName;
    }
  | {
      readonly do: 'approve' | 'deny' | 'cancel' | 'end' | 'extend';
      readonly who: Who;
      readonly on: number;
      readonly which: number;
      readonly seconds: number | undefined;
    }
  | { readonly do: 'revoke'; readonly who: Who; readonly lift: boolean }
  | { readonly do: 'learn'; readonly on: number; readonly variant: number | undefined }
  | { readonly do: 'put-back'; readonly which: number; readonly version: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'calm' }
  | { readonly do: 'turn'; readonly which: number; readonly fault: Fault };

/** A world with its tables, two instances, and what really happened. */
export function createWorld() {
  let now = Date.parse('2026-03-10T12:00:00Z');
  let steps = 0;
  let vends = 0;
  let extendedVends = 0;
  let wasPutBack = false;
  const turns: Turn[] = [];
  const rows = new Map<string, AccessRequest>();
  const versions = new Map<string, AccessRequest[]>();
  const ledgerItems = new Map<
    string,
    { readonly entries: readonly LedgerEntry[]; readonly version: number }
  >();
  const log: Revocation[] = [];
  const said = new Map<string, Said[]>();
  /** By the root of a chain that was ended: how long the log was when that was acknowledged. */
  const endedChains = new Map<string, number>();
  const acknowledged: { readonly id: string; readonly who: Who; readonly digest: string }[] = [];
  const firstStarts = new Map<string, { readonly startsAt: number; readonly words: number }>();
  const problems: string[] = [];

  /** One call of a table: it waits for its turn. */
  function call<Answer>(act: () => Answer): Promise<Answer> {
    const begun = now;
    return new Promise<Answer>((resolve, reject) => {
      turns.push((fault) => {
        steps += 1;
        if (now - begun > DEADLINE) reject(new Error('given up'));
        else if (fault === 'ok') resolve(act());
        else if (fault === 'crash-after') act();
        else if (fault === 'lost') {
          act();
          reject(new Error('the answer is lost'));
        }
        // Of a process that died nobody hears any more.
      });
    });
  }

  function put(request: AccessRequest): void {
    rows.set(request.id, request);
    versions.set(request.id, [...(versions.get(request.id) ?? []), request]);
  }

  const store: RequestStore = {
    create: (request) =>
      call(() => {
        if (rows.has(request.id)) return 'there' as const;
        put(request);
        return 'created' as const;
      }),
    read: (id) =>
      call(() => {
        const request = rows.get(id);
        return request === undefined ? undefined : ({ genuine: true, request } as const);
      }),
    replace: (request) =>
      call(() => {
        if (rows.get(request.id)?.version !== request.version - 1) return 'lost' as const;
        put(request);
        return 'replaced' as const;
      }),
    page: () => Promise.reject(new Error('nobody lists here')),
  };

  const ledgers: Ledgers = {
    read: (name, at) =>
      call(() => {
        const { entries = [], version = 0 } = ledgerItems.get(name) ?? {};
        return { entries: entries.filter(({ until }) => until > at), version };
      }),
    write: (name, entries, version) =>
      call(() => {
        if ((ledgerItems.get(name)?.version ?? 0) !== version) return 'lost' as const;
        ledgerItems.set(name, { entries, version: version + 1 });
        return 'written' as const;
      }),
  };

  const records = {
    describe: () => ({}),
    conclude: (_by: unknown, _tried: unknown, _request: unknown, value: unknown) =>
      Promise.resolve(ok(value)),
    fail: () => Promise.resolve(refuse(unavailable('approvals'))),
    deny: (_by: unknown, _tried: unknown, refusal: unknown) => Promise.resolve(refuse(refusal)),
    reserve: () => Promise.resolve(ok(undefined)),
  } as unknown as ApprovalRecords;

  function createInstance() {
    let snapshot = SNAPSHOTS[0] as Snapshot;
    let known = 0;
    const book = createRevocationBook();
    const documentsOf = createDocumentsOf('key');

    function learn(upTo = log.length): void {
      for (const revocation of log.slice(known, upTo)) {
        book.add(revocation);
        if (revocation.reason === 'lifted') book.lift(revocation.n);
      }
      known = Math.max(known, upTo);
    }

    const revocations = {
      append: (entry: NewEntry) =>
        call(() => {
          if (entry.what === 'revoke') log.push({ ...entry, n: log.length + 1 });
          return { n: log.length } as never;
        }).then((appended) => {
          learn();
          return appended;
        }),
      ofGrant: (id: string) => book.ofGrant(id, now),
      wasRevokedAfter: book.wasRevokedAfter,
      top: () => known,
    };
    const common = { clock: () => now, store, ledgers, revocations, documentsOf, records };
    const ask = createAsk({
      clock: () => now,
      store,
      ledgers,
      revocations,
      sleep: () => call(() => undefined),
    });
    return {
      ask,
      requesting: createRequestApproval({ ...common, ask }),
      decisions: createDecideRequest({
        ...common,
        endGrant: createEndGrant({
          ...common,
          hardRevocation: { apply: () => Promise.resolve([]) },
        }),
      }),
      grants: createFindGrant({ ...common, skew: () => 0 }),
      revocations,
      documentsOf,
      learn,
      known: () => known,
      snapshot: () => snapshot,
      use: (variant: number) => {
        snapshot = SNAPSHOTS[variant % SNAPSHOTS.length] as Snapshot;
      },
    };
  }
  type Instance = ReturnType<typeof createInstance>;
  const instances = [createInstance(), createInstance()] as const;

  function instance(on: number): Instance {
    return instances[on % 2] ?? instances[0];
  }

  /** The id of one of the requests so far, the newest first. */
  function idAt(which: number): string | undefined {
    const ids = [...rows.keys()].toReversed();
    return ids[which % Math.max(1, ids.length)];
  }

  async function ask(on: Instance, who: Who, profile: ProfileName): Promise<void> {
    const documents = on.documentsOf(on.snapshot());
    const rule = documents.ruleFor(documents.toParty(callerOf(who), now), profile);
    if (rule === undefined) throw new Error('no rule');
    await on.ask({
      wish: {
        requester: documents.toParty(callerOf(who), now),
        profile,
        seconds: 3_600,
        justification: 'deploy release 42',
        ticket: undefined,
        start: rule.start ?? 'approval',
        extends: undefined,
        chain: undefined,
        root: undefined,
        origin: 'vend',
        seen: on.revocations.top(),
      },
      rule,
      documents,
      keys: SEALINGS,
      sealing: SEALING,
      now,
    });
  }

  async function decide(
    on: Instance,
    { do: what, who, which, seconds }: Extract<Command, { which: number; on: number }>,
  ) {
    const id = idAt(which);
    const request = id === undefined ? undefined : rows.get(id);
    if (id === undefined || request === undefined) return;
    const operator = {
      caller: callerOf(who),
      snapshot: on.snapshot(),
      replay: undefined,
    } as unknown as Operator;
    if (what === 'extend') {
      const { profile } = request;
      const wish = { profile, seconds, justification: 'it takes longer', ticket: undefined };
      const origin = 'request';
      await on.requesting.requestApproval(operator, { ...wish, extends: id, origin });
      return;
    }
    if (what === 'deny') await on.decisions.deny(operator, id, 'not before the audit');
    if (what === 'cancel' || what === 'end') {
      const ended = await (what === 'end'
        ? on.decisions.end(operator, id, 'the work is done')
        : on.decisions.cancel(operator, id));
      if (ended.ok && ended.value.request.grant !== undefined)
        endedChains.set(request.root, log.length);
    }
    if (what !== 'approve') return;
    const documents = on.documentsOf(on.snapshot());
    const digest = toDigest(documents.shownFor(id, request, now) ?? '');
    // From now on it may count, whether or not anybody hears of it.
    const before = said.get(id) ?? [];
    const mine: Said = {
      who,
      digest,
      seconds: seconds ?? request.seconds,
      logged: Number.POSITIVE_INFINITY,
    };
    said.set(id, [...before, mine]);
    const answer = await on.decisions.approve(operator, id, {
      digest,
      comment: undefined,
      seconds,
    });
    const list = said.get(id) ?? [];
    said.set(
      id,
      list.map((one) => (one === mine ? { ...one, logged: log.length } : one)),
    );
    if (answer.ok) acknowledged.push({ id, who, digest });
  }

  /** Whether these persons fill all groups, each in one place: every way is tried. */
  function fills(
    groups: readonly { readonly from: readonly string[]; readonly need: number }[],
    persons: readonly Who[],
  ): boolean {
    const places = groups.flatMap(({ from, need }) => Array.from({ length: need }, () => from));
    function fill(at: number, left: readonly Who[]): boolean {
      const from = places[at];
      if (from === undefined) return true;
      return left.some((who) => {
        const others = left.filter((other) => PERSON[other] !== PERSON[who]);
        return from.includes(KEYS[who]) && fill(at + 1, others);
      });
    }
    return fill(0, persons);
  }

  async function vend(on: Instance, who: Who, profile: ProfileName): Promise<void> {
    const [begun, snapshot, known] = [now, on.snapshot(), on.known()];
    const found = await on.grants.findGrant(callerOf(who), profile, snapshot, begun);
    if (!found.ok) return;
    const granted = await on.grants.start(found.value, snapshot, SEALING, begun);
    if (granted === undefined || on.revocations.ofGrant(granted.request.id) !== undefined) return;
    vends += 1;
    const { request, grant } = granted;
    function claim(holds: boolean, what: string): void {
      if (!holds) problems.push(`${request.id} for ${who} on ${profile}: ${what}`);
    }
    const digest = toDigest(on.documentsOf(snapshot).shownFor(request.id, request, begun) ?? '');
    const disabled = [...snapshot.clients].flatMap(([key, { disabled: is }]) => (is ? [key] : []));
    const voices = (said.get(request.id) ?? []).filter(
      (one) =>
        one.digest === digest &&
        PERSON[one.who] !== PERSON[who] &&
        !disabled.includes(one.who) &&
        !log
          .slice(one.logged, known)
          .some(({ target }) => target.kind === 'user' && target.value === `key/${KEYS[one.who]}`),
    );
    claim(
      request.requester.subject === callerOf(who).subject && request.profile === profile,
      'somebody else’s',
    );
    claim(
      fills(
        GROUPS[profile],
        voices.map((one) => one.who),
      ),
      'without its quorum',
    );
    claim(grant.endsAt !== undefined && begun < grant.endsAt, 'after its end');
    claim(grant.seconds <= request.seconds, 'longer than was asked for');
    claim(
      !log
        .slice(0, known)
        .some(
          ({ target }) =>
            target.kind === 'grant' &&
            (target.value === request.id || target.value === request.root),
        ),
      'after it was ended, as the instance knew',
    );
    claim(
      known < (endedChains.get(request.root) ?? Infinity),
      'after its chain was ended, as the instance knew',
    );
    const { chain } = request;
    if (chain !== undefined) {
      extendedVends += 1;
      const [root, before] = [rows.get(request.root), rows.get(request.extends ?? '')];
      claim(chain.times <= EXTEND.times, 'extended too often');
      claim(chain.used + grant.seconds <= MOST_EXTENDED, 'extended for too long');
      claim(
        grant.endsAt === chain.endsAt + grant.seconds * SECOND,
        'not so much later than what it extends',
      );
      claim(
        root?.requester.subject === request.requester.subject && before?.profile === profile,
        'extends somebody else’s',
      );
    }
    if (request.start === 'first_use' && grant.startsAt !== undefined) {
      // What is approved anew, after somebody put a row from before back, may begin anew.
      const words = (said.get(request.id) ?? []).length;
      const before = firstStarts.get(request.id);
      const first = before?.words === words ? before.startsAt : grant.startsAt;
      firstStarts.set(request.id, { startsAt: first, words });
      claim(grant.startsAt === first, 'begun twice');
    }
  }

  /** Lets what is ready go on, without any call's turn. */
  async function settle(): Promise<void> {
    for (let n = 0; n < 12; n += 1) await Promise.resolve();
  }

  function run(command: Command): Promise<void> {
    switch (command.do) {
      case 'ask':
        return ask(instance(command.on), command.who, command.profile);
      case 'vend':
        return vend(instance(command.on), command.who, command.profile);
      case 'approve':
      case 'deny':
      case 'cancel':
      case 'end':
      case 'extend':
        return decide(instance(command.on), command);
      case 'revoke':
        log.push(revocationOf(command.who, command.lift));
        break;
      case 'learn':
        instance(command.on).learn();
        if (command.variant !== undefined) instance(command.on).use(command.variant);
        break;
      case 'put-back': {
        const older = versions.get(idAt(command.which) ?? '') ?? [];
        const back = older[command.version % Math.max(1, older.length)];
        wasPutBack ||= back !== undefined;
        if (back !== undefined) rows.set(back.id, back);
        break;
      }
      case 'pass':
        now += command.ms;
        break;
      case 'calm':
        return drain();
      case 'turn':
        turns.splice(command.which % Math.max(1, turns.length), 1)[0]?.(command.fault);
        break;
    }
    return Promise.resolve();
  }

  function revocationOf(who: Who, lift: boolean): Revocation {
    return {
      n: log.length + 1,
      target: { kind: 'user', value: `key/${KEYS[who]}` },
      reason: lift ? 'lifted' : 'stolen',
      by: 'key/ops',
      byPrincipal: 'sentinel:key/ops',
      createdAt: now,
      until: undefined,
      own: false,
    };
  }

  /** Does something; what fails is what its actor is told. */
  async function perform(command: Command): Promise<void> {
    steps += 1;
    const done = run(command).catch(() => undefined);
    if (command.do === 'calm') await done;
    await settle();
  }

  /** Lets everything end that can. */
  async function drain(): Promise<void> {
    for (let n = 0; n < 2_000 && turns.length > 0; n += 1) {
      turns.shift()?.('ok');
      await settle();
    }
  }

  /** What must be so in the end, when nobody has written past the TVM. */
  function check(): readonly string[] {
    if (wasPutBack) return problems;
    const lost = acknowledged.filter(({ id, who, digest }) => {
      const kept = [...(versions.get(id) ?? [])].some(({ reviews }) =>
        reviews.some(
          (one) =>
            one.verdict === 'approve' &&
            one.digest === digest &&
            one.reviewer.subject === callerOf(who).subject,
        ),
      );
      return !kept;
    });
    const open = [...rows.values()].filter(
      (request) =>
        statusAt(request, now) === 'pending' &&
        !log.some(
          ({ target }) =>
            target.kind === 'grant' &&
            (target.value === request.id || target.value === request.root),
        ),
    );
    const places = open.map(({ requester, profile }) => `${requester.name} ${profile}`);
    const revived = [...versions.values()].filter((all) => {
      const over = all.findIndex(({ status }) => status === 'denied' || status === 'cancelled');
      return (
        over !== -1 &&
        all.slice(over).some(({ status }) => status === 'approved' || status === 'pending')
      );
    });
    return [
      ...problems,
      ...lost.map(({ id, who }) => `what ${who} was told to have approved is not in ${id}`),
      ...(new Set(places).size < places.length
        ? [`two are open for one: ${places.join(', ')}`]
        : []),
      ...revived.map(([first]) => `${first?.id} was over, and is not any more`),
    ];
  }

  return {
    perform,
    drain,
    check,
    steps: () => steps,
    vends: () => vends,
    extendedVends: () => extendedVends,
    pending: () => turns.length,
  };
}
