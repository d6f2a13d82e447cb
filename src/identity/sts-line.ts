import { HOUR, SECOND } from '../lib/clock.ts';
import { createGate } from '../lib/gate.ts';
import { sourceOf } from '../lib/ip.ts';
import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { IdentityRefusal } from './authenticator.ts';
import type { Caller } from './caller.ts';

/** Counts what strangers cost, by the address they come from, and weighs what they have cost lately. */
export type SourceLimit = {
  /** Refused when the address has cost too much, with the seconds until it may again. */
  readonly check: (address: string | undefined) => Result<undefined, number>;
  /** Counts one against the address: STS refused it, it is nobody whom this server admits, or it found no place in line. */
  readonly charge: (address: string | undefined) => void;
  /** Begins something for the address, and says how much it has cost and has under way. */
  readonly enter: (address: string | undefined) => { readonly weight: number; readonly leave: () => void };
};

/** Whom a request to STS is counted against: an address, and before it an access key that STS confirmed from there. */
export type Account = { readonly address: string | undefined; readonly known: string | undefined };

/** STS gives an account 600 requests a second in a region, for everything; logins may not take more than a part. */
const LINE = { running: 64, waiting: 256, patience: 2 * SECOND };

/** Added to the weight of access keys that were confirmed before: less than any stranger's. */
const KNOWN = -1_000_000;

/**
 * An access key that STS confirmed is known, with the address it came from, for twelve hours: the longest that temporary
 * credentials live. So many are; beyond them the one that came longest ago is a stranger again, who has its fair share.
 */
const CONFIRMED_LIFE = 12 * HOUR;
const MAX_CONFIRMED = 20_000;

const RETRY_SECONDS = 2;

/** What stands for an access key and where it comes from; no address has this form. */
function nameOf(accessKeyId: string, address: string | undefined): string {
  return `${accessKeyId}@${sourceOf(address)}`;
}

/**
 * The line to STS, in which everybody waits who has to be confirmed: one a region, so that a slow STS stops no other, and
 * in each the next place goes to whoever has cost least. An access key that was confirmed from an address before passes
 * all strangers there, as an account of its own that what others at its address cost does not close. Whoever sends its id
 * from elsewhere is a stranger; who does so from the same address can use that account up, and then both are strangers.
 *
 * There are as many lines as the table of STS hosts has regions; each holds 64 requests under way and 256 that wait.
 */
export function createStsLine(limit: SourceLimit) {
  const lines = new Map<string, ReturnType<typeof createGate>>();
  const confirmed = createLru<string, { readonly caller: Caller; readonly until: number }>(MAX_CONFIRMED);

  function lineTo(host: string): ReturnType<typeof createGate> {
    const line = lines.get(host) ?? createGate(LINE);
    lines.set(host, line);
    return line;
  }

  function find(name: string): Caller | undefined {
    const found = confirmed.get(name);
    return found !== undefined && found.until > performance.now() ? found.caller : undefined;
  }

  function charge({ address, known }: Account): void {
    limit.charge(address);
    if (known !== undefined) limit.charge(known);
  }

  /** Whom to count a token against that names this access key. */
  function accountOf(accessKeyId: string, address: string | undefined): Account {
    const name = nameOf(accessKeyId, address);
    return { address, known: find(name) !== undefined && limit.check(name).ok ? name : undefined };
  }

  /** Refuses whom too much was counted against. */
  function check({ address, known }: Account): Result<undefined, IdentityRefusal> {
    const within = limit.check(known ?? address);
    if (within.ok) return within;
    return refuse({ kind: 'rate-limited', limit: 'refused-by-sts', retryAfterSeconds: within.refusal });
  }

  /** Runs what asks STS at this host when it is its turn; whoever finds no place is charged for having come. */
  async function wait<Value>(
    host: string,
    account: Account,
    run: () => Promise<Value>,
  ): Promise<Result<Value, IdentityRefusal>> {
    const { weight, leave } = limit.enter(account.known ?? account.address);
    try {
      const answered = await lineTo(host)(run, account.known === undefined ? weight : KNOWN + weight);
      if (answered.ok) return ok(answered.value);
      charge(account);
      return refuse({ kind: 'rate-limited', limit: 'waiting-for-sts', retryAfterSeconds: RETRY_SECONDS });
    } finally {
      leave();
    }
  }

  /** Remembers a caller whom STS confirmed. */
  function confirm(caller: Caller, address: string | undefined): void {
    const until = performance.now() + CONFIRMED_LIFE;
    confirmed.set(caller.accessKeyId, { caller, until });
    confirmed.set(nameOf(caller.accessKeyId, address), { caller, until });
  }

  return {
    /** Who an access key belongs to, if STS said so lately; nobody has proved anything by naming it. */
    callerOf: find,
    accountOf,
    check,
    charge,
    wait,
    confirm,
  };
}
