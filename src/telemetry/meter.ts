/** The steps of a request whose time is measured. `vend` is the whole of a vend, from the decision to its audit record. */
export type Stage = 'authenticate' | 'vend' | 'guard' | 'session' | 'sts' | 'audit';

/** Things that are counted, each with the outcomes that it can have. All are closed lists: no caller adds to them. */
export type Counted = {
  readonly vends: 'vended' | 'denied' | 'failed';
  readonly keys: 'minted' | 'denied' | 'failed';
  readonly revocations: 'allow' | 'deny';
  /** Requests whose sender could not be known, or who is shut out. */
  readonly identity_refused: 'authentication' | 'rate_limited' | 'revoked' | 'replayed';
  readonly sts: 'ok' | 'throttled' | 'misconfigured' | 'unavailable';
};

/** What is so at a moment. Ages are in seconds, undefined where nothing was read yet; caches count since the start. */
export type Readings = {
  readonly catalogAge: number | undefined;
  readonly catalogRejected: number;
  readonly revocationsAge: number | undefined;
  readonly inGrace: boolean;
  readonly draining: boolean;
  readonly sessions: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
};

/** Where the server tells what it does. Nothing here can fail a request. */
export type Meter = {
  readonly count: <What extends keyof Counted>(what: What, outcome: Counted[What]) => void;
  /** @param milliseconds how long the step took, well or not */
  readonly observe: (stage: Stage, milliseconds: number) => void;
  /** A request was answered. Health checks are not told of. */
  readonly answered: (status: number, milliseconds: number) => void;
};

/** Measures what a function takes until its promise settles. */
export const timed =
  <Given extends readonly unknown[], Value>(
    meter: Meter,
    stage: Stage,
    step: (...given: Given) => Promise<Value>,
  ): ((...given: Given) => Promise<Value>) =>
  async (...given) => {
    const begun = performance.now();
    try {
      return await step(...given);
    } finally {
      meter.observe(stage, performance.now() - begun);
    }
  };

const none = (): void => undefined;

/** Tells nobody. */
export const silentMeter: Meter = { count: none, observe: none, answered: none };
