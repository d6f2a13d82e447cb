import { SECOND, type Clock } from '../lib/clock.ts';
import { ipv6Network } from '../lib/ip.ts';
import type { AuditStream } from './log.ts';
import type { CountableRefusal, RefusalEntry } from './record.ts';

/**
 * How many pairs of address and kind of refusal have a count of their own, at some hundred bytes
 * each. The others share one count for each kind, without an address: a flood of addresses costs no
 * memory.
 */
const MOST_COUNTS = 5_000;

/** How long after it found no room a line is tried again. */
const AGAIN = 0.5 * SECOND;

/** Refusals of one kind from one address, which will be one line. Times in epoch milliseconds. */
type Count = {
  readonly entry: Omit<CountableRefusal, 'source_ip'>;
  readonly source: string | undefined;
  /** When its window began, on the clock of `performance.now`. */
  readonly openedAt: number;
  readonly first: number;
  last: number;
  count: number;
};

/** Where refusals are recorded. */
export type Refusals = {
  /**
   * Records one. Above a rate limit, and where the part of the queue that is for refusals is full,
   * it is only counted: one line tells of all from this address at the end of the window.
   *
   * @returns false if its line was not written in time; true if it was written or counted
   */
  readonly record: (entry: RefusalEntry) => Promise<boolean>;
  /** Counts one that never gets a line of its own. */
  readonly count: (entry: CountableRefusal) => void;
  /** Writes the lines of everything counted, as far as there is room, at the end of the process. */
  readonly flush: () => void;
  /** How many lines are still to be written for what was counted. */
  readonly pending: () => number;
};

type Options = {
  readonly audit: Pick<AuditStream, 'append' | 'hasRoomForRefusal'>;
  readonly clock: Clock;
  /** How long one line counts for, in milliseconds: the window of the limit per address. */
  readonly window: number;
  /** Called with each refusal that is only counted. */
  readonly onCounted: (entry: CountableRefusal) => void;
};

/** IPv4 by address, IPv6 by /64, as the limit by address does. */
function sourceOf(address: string | undefined): string | undefined {
  const network = address === undefined ? undefined : ipv6Network(address);
  return network === undefined ? address : `${network}::/64`;
}

/**
 * Whether it is above a rate limit. Then its reason names the caller, and each reason has its own
 * count.
 */
function isAboveLimit({ error }: CountableRefusal): boolean {
  return error === 'RateLimited';
}

/**
 * Decides which refusals get a line and which are counted, so that strangers cannot fill the log.
 */
export function createRefusals(options: Options, most = MOST_COUNTS): Refusals {
  const { audit, clock, window, onCounted } = options;
  /** By source and kind; the oldest window first. */
  const counts = new Map<string, Count>();
  let timer: NodeJS.Timeout | undefined;

  function count(entry: CountableRefusal): void {
    onCounted(entry);
    const { event, error, reason } = entry;
    const { cause } = entry;
    const kind = [event, error, cause].join('\n');
    const source = sourceOf(entry.source_ip);
    const own = [kind, isAboveLimit(entry) ? reason : '', `from ${source ?? 'unknown'}`].join('\n');
    const isApart = counts.has(own) || counts.size < most;
    const key = isApart ? own : kind;
    const now = clock();
    const known = counts.get(key);
    if (known !== undefined) {
      known.count += 1;
      known.last = now;
      return;
    }
    counts.set(key, {
      entry: { event, error, reason, cause },
      source: isApart ? source : undefined,
      openedAt: performance.now(),
      first: now,
      last: now,
      count: 1,
    });
    schedule();
  }

  /** Writes the line of a window that is over; returns whether there was room for it. */
  function write({ entry, source, count: times, first, last }: Count): boolean {
    if (!audit.hasRoomForRefusal()) return false;
    void audit.append({
      ...entry,
      effect: 'deny',
      ...(source === undefined ? {} : { source_ip: source }),
      count: times,
      first: new Date(first).toISOString(),
      last: new Date(last).toISOString(),
    });
    return true;
  }

  /**
   * Writes the lines that are due. A count whose line finds no room goes on, and is tried again.
   */
  function sweep(): void {
    const now = performance.now();
    for (const [key, counted] of counts) {
      if (now - counted.openedAt < window || !write(counted)) break;
      counts.delete(key);
    }
  }

  /**
   * Sets one timer, for the oldest window. On AWS Lambda, where timers stand still, the next
   * refusal writes.
   */
  function schedule(): void {
    const [oldest] = counts.values();
    if (timer !== undefined || oldest === undefined) return;
    const due = oldest.openedAt + window - performance.now();
    timer = setTimeout(
      () => {
        timer = undefined;
        sweep();
        schedule();
      },
      Math.max(AGAIN, due),
    ).unref();
  }

  async function record(entry: RefusalEntry): Promise<boolean> {
    sweep();
    if (isAboveLimit(entry) || !audit.hasRoomForRefusal()) {
      count(entry);
      return true;
    }
    return audit.append(entry);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const [key, counted] of counts) if (write(counted)) counts.delete(key);
  }

  function pending() {
    return counts.size;
  }

  return { record, count, flush, pending };
}
