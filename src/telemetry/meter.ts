/** The steps of a request whose time is measured. `vend` is the whole of a vend, from the decision to its audit record. */
export type Stage = 'authenticate' | 'vend' | 'guard' | 'session' | 'sts' | 'audit';

/**
 * Things that are counted, each with the outcomes that it can have. All are closed lists: no caller adds to them, and every
 * series exists from the start, so that the first event is a change that an alert can see.
 */
export const COUNTED = {
  vends: ['vended', 'denied', 'failed'],
  keys: ['minted', 'denied', 'failed'],
  revocations: ['allow', 'deny'],
  /** What was done, and what was refused, about requests for an approval. */
  approvals: ['allow', 'deny'],
  /** Requests whose sender could not be known, or who is shut out. */
  identity_refused: ['authentication', 'rate_limited', 'revoked', 'replayed'],
  /** What there was no room for: requests, connections, and those without work that were closed to make some. */
  turned_away: ['overloaded', 'connection_refused', 'connection_closed'],
  sts: ['ok', 'throttled', 'misconfigured', 'unavailable'],
  /** Answers of 503, by what was not available. */
  unavailable: [
    'approvals',
    'audit',
    'catalog',
    'guard',
    'lifting_key',
    'overloaded',
    'people',
    'rate_limit',
    'required_session',
    'revocation_log',
    'revocations',
    'sealing_key',
    'sessions',
    'sts',
    'sts_identity',
    'sts_throttled',
  ],
} as const;

/** The outcomes of each thing that is counted. */
export type Counted = { readonly [What in keyof typeof COUNTED]: (typeof COUNTED)[What][number] };

/**
 * What became of a call of AWS, its retries included: `refused` is a condition that did not hold, and no fault; `late` is
 * one that its deadline ended.
 */
type CallOutcome = 'ok' | 'refused' | 'throttled' | 'late' | 'failed';

/** One call of AWS, as it is measured. */
export type AwsCall = {
  readonly service: 'dynamodb' | 'ssm' | 'sts';
  /** The operation's name, like `PutItem`. */
  readonly operation: string;
  readonly outcome: CallOutcome;
  readonly milliseconds: number;
};

/** A request that was answered: for which of the server's paths, and how. */
export type Answered = { readonly route: string; readonly status: number; readonly milliseconds: number };

/** What is so at a moment. Ages are in seconds, undefined where nothing was read yet; caches count since the start. */
export type Readings = {
  readonly catalogAge: number | undefined;
  readonly catalogRejected: number;
  readonly revocationsAge: number | undefined;
  readonly inGrace: boolean;
  readonly draining: boolean;
  /** Whether requests can be served, as `/readyz` says. */
  readonly ready: boolean;
  readonly auditWritable: boolean;
  /** Lines of the audit log that were lost since the start. */
  readonly auditLost: number;
  readonly sessions: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
};

/** Where the server tells what it does. Nothing here can fail a request. */
export type Meter = {
  readonly count: <What extends keyof Counted>(what: What, outcome: Counted[What]) => void;
  /** @param milliseconds how long the step took, well or not */
  readonly observe: (stage: Stage, milliseconds: number) => void;
  /** A call of AWS has ended, well or not. */
  readonly called: (call: AwsCall) => void;
  /** A request was answered. Health checks are not told of. */
  readonly answered: (answered: Answered) => void;
};

/** Measures what a function takes until its promise settles. */
export function timed<Given extends readonly unknown[], Value>(
  meter: Meter,
  stage: Stage,
  step: (...given: Given) => Promise<Value>,
): (...given: Given) => Promise<Value> {
  return async (...given) => {
    const begun = performance.now();
    try {
      return await step(...given);
    } finally {
      meter.observe(stage, performance.now() - begun);
    }
  };
}

function none(): void {
  return undefined;
}

/** Tells nobody. */
export const silentMeter: Meter = { count: none, observe: none, called: none, answered: none };
