import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { describeError, type Logger } from '../telemetry/logger.ts';
import type { Meter } from '../telemetry/meter.ts';
import { eventId, type Event } from './event.ts';
import type { Receiver } from './receiver.ts';
import { MAX_EVENTS, type Claimed, type Ref, type Source } from './source.ts';

/**
 * How often the outboxes are looked at, and how old the last look may be on AWS Lambda before a
 * request makes one.
 */
const PERIOD = 5 * SECOND;
const PERIOD_ON_LAMBDA = 30 * SECOND;

/**
 * Rows of one look at a source, how many of them are sent at a time, and how long one round may
 * begin new ones.
 */
const BATCH = 20;
const PARALLEL = 4;
const ROUND = 20 * SECOND;

/**
 * An event is tried so often, over about an hour. The pauses double from the first to the longest,
 * and are between half of it and the whole, so that instances and rows do not all come at once.
 */
const MAX_ATTEMPTS = 12;
const FIRST_PAUSE = 5 * SECOND;
const LONGEST_PAUSE = 10 * MINUTE;

type Options = {
  readonly sources: readonly Source[];
  /** The receivers as they are configured at the moment; with none, nothing is looked at. */
  readonly receivers: () => readonly Receiver[];
  readonly clock: Clock;
  /** Milliseconds that no change of the machine's time moves. */
  readonly monotonic: Clock;
  readonly meter: Pick<Meter, 'count'>;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  /** From 0 to below 1. */
  readonly random?: () => number;
};

/**
 * What sends events. Nothing here rejects, and nobody whose request caused an event waits for it.
 */
export type Dispatcher = {
  /**
   * Looks at the outboxes at once and every five seconds, until the signal ends it. For all but AWS
   * Lambda.
   */
  readonly start: (signal: AbortSignal) => void;
  /**
   * Looks at the outboxes once. Resolves when all that was found has been tried. For a schedule,
   * and for tests.
   */
  readonly round: () => Promise<void>;
  /**
   * A request has come. Makes a round if the last one is half a minute old: on AWS Lambda no timer
   * can be relied on.
   */
  readonly onRequest: () => void;
  /**
   * A row has just been written with an event: sends it without waiting for the next look, if there
   * is room.
   */
  readonly notice: (source: Source, row: { readonly id: string; readonly version: number }) => void;
  /** Resolves when nothing is under way. */
  readonly idle: () => Promise<void>;
};

function pauseAfter(attempts: number, random: () => number): number {
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts - 1));
  return pause * (0.5 + random() / 2);
}

/** Runs something for each item, a few at a time, and gives what came of it, in whatever order. */
async function inParallel<Item, Value>(
  items: readonly Item[],
  run: (item: Item) => Promise<Value>,
): Promise<readonly Value[]> {
  const rest = [...items];
  const values: Value[] = [];
  async function work(): Promise<void> {
    for (let next = rest.shift(); next !== undefined; next = rest.shift())
      values.push(await run(next));
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return values;
}

/** Constructs what sends the events of all sources to all receivers, each at least once. */
export function createDispatcher(options: Options): Dispatcher {
  const { sources, receivers, clock, monotonic, meter, logger, random = Math.random } = options;
  let lastRound = Number.NEGATIVE_INFINITY;
  /** What was noticed and is under way. */
  const noticed = new Set<Promise<boolean>>();
  /** Sources that could not be asked when they were asked last. */
  const failing = new Set<Source>();
  let running: Promise<void> = Promise.resolve();

  /**
   * Sends what is left of a row to one receiver, oldest first; gives what it took, and what kept it
   * from all.
   */
  async function sendTo(receiver: Receiver, events: readonly Event[], { sent, attempts }: Claimed) {
    const taken: string[] = [];
    for (const event of events) {
      const mark = `${receiver.name}#${event.version}`;
      if (sent.includes(mark)) continue;
      const outcome = await receiver.deliver(event);
      meter.count('events', outcome.ok ? 'delivered' : 'failed');
      if (!outcome.ok) {
        const facts = {
          event: eventId(event),
          type: event.type,
          receiver: receiver.name,
          attempts,
        };
        logger.warn({ ...facts, reason: outcome.refusal }, 'an event was not delivered');
        return { taken, isDone: false };
      }
      taken.push(mark);
    }
    return { taken, isDone: true };
  }

  async function giveUp(source: Source, claimed: Claimed, sent: readonly string[]): Promise<void> {
    await source.dead(claimed);
    const { id, events, attempts } = claimed;
    const facts = { source: source.name, row: id, attempts };
    if (events === undefined) {
      logger.error(
        facts,
        'a row says that it has an event to send, but no TVM has signed it; nothing was sent',
      );
      return;
    }
    for (const event of events) {
      for (const { name } of receivers()) {
        if (sent.includes(`${name}#${event.version}`)) continue;
        meter.count('events', 'dead');
        const about = { ...facts, event: eventId(event), type: event.type, receiver: name };
        logger.error(about, 'an event was given up after the last try');
      }
    }
  }

  /** Sends one claimed row, and says in its source what came of it. */
  async function sendRow(source: Source, claimed: Claimed): Promise<void> {
    const { events, attempts } = claimed;
    const latest = (events ?? []).slice(-MAX_EVENTS);
    const outcomes = await Promise.all(
      receivers().map((receiver) => sendTo(receiver, latest, claimed)),
    );
    const sent = [...claimed.sent, ...outcomes.flatMap(({ taken }) => taken)];
    // A row that does not verify may have been signed by a key that this instance has not read yet.
    const isDone = events !== undefined && outcomes.every((outcome) => outcome.isDone);
    if (isDone) await source.done(claimed);
    else if (attempts >= MAX_ATTEMPTS) await giveUp(source, claimed, sent);
    else await source.again(claimed, clock() + pauseAfter(attempts, random), sent);
  }

  /** Runs what asks DynamoDB. Once for each outage the log says that it fails. */
  async function attempt<Value>(
    source: Source,
    run: () => Promise<Value>,
  ): Promise<Value | undefined> {
    try {
      const value = await run();
      failing.delete(source);
      return value;
    } catch (error) {
      const facts = { source: source.name, error: describeError(error) };
      if (!failing.has(source))
        logger.warn(facts, 'an outbox cannot be read or written; trying again');
      failing.add(source);
      return undefined;
    }
  }

  /**
   * Sends a row, unless another instance has it; says which. A row whose claim cannot be taken or
   * settled is found again when the lease has ended.
   */
  async function handle(source: Source, ref: Ref): Promise<boolean> {
    const claimed = await attempt(source, () => source.claim(ref));
    if (claimed === undefined) return false;
    await attempt(source, () => sendRow(source, claimed));
    return true;
  }

  /**
   * Looks until nothing is due, or nothing that is due can be had: an index tells of what was sent
   * for a moment.
   */
  async function empty(source: Source): Promise<void> {
    const end = monotonic() + ROUND;
    let wasAnyOurs = true;
    while (wasAnyOurs && monotonic() < end) {
      const refs = (await attempt(source, () => source.pending(BATCH))) ?? [];
      const wereOurs = await inParallel(refs, (ref) => handle(source, ref));
      wasAnyOurs = wereOurs.includes(true);
    }
  }

  const lookAtAll = singleFlight(async (): Promise<void> => {
    lastRound = monotonic();
    await Promise.all(sources.map(empty));
  });

  function round(): Promise<void> {
    if (receivers().length === 0) return Promise.resolve();
    running = lookAtAll();
    return running;
  }

  function start(signal: AbortSignal): void {
    if (signal.aborted) return;
    void round();
    const timer = setInterval(() => void round(), PERIOD).unref();
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  function onRequest(): void {
    if (monotonic() - lastRound >= PERIOD_ON_LAMBDA) void round();
  }

  function notice(
    source: Source,
    { id, version }: { readonly id: string; readonly version: number },
  ): void {
    if (receivers().length === 0 || noticed.size >= PARALLEL) return;
    const handling = handle(source, { id, version, attempts: 0 }).finally(() =>
      noticed.delete(handling),
    );
    noticed.add(handling);
  }

  async function idle(): Promise<void> {
    await Promise.all([...noticed, running]);
  }

  return { start, round, onRequest, notice, idle };
}
