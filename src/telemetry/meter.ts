/**
 * The steps of a request that are timed. `vend` is a whole vend, from the decision to its audit
 * record.
 */
export type Stage = 'authenticate' | 'vend' | 'guard' | 'session' | 'sts' | 'audit';

/**
 * What is counted, with the possible outcomes of each. The lists are closed: no caller can add to
 * them, and every series exists from the start, so that an alert sees the first event as a change.
 */
export const COUNTED = {
  vends: ['vended', 'denied', 'failed'],
  keys: ['minted', 'denied', 'failed'],
  revocations: ['allow', 'deny'],
  /** What was done, and what was refused, about requests for an approval. */
  approvals: ['allow', 'deny'],
  /** What was done about break-glass, vends under an event among it, and what was refused. */
  break_glass: ['invoked', 'drill', 'vended', 'confirmed', 'closed', 'reviewed', 'denied'],
  /** Requests whose sender did not prove who it is, or is refused everywhere. */
  identity_refused: ['authentication', 'rate_limited', 'revoked', 'replayed'],
  /**
   * What there was no room for: requests and connections, and idle connections that were closed to
   * make room.
   */
  turned_away: ['overloaded', 'connection_refused', 'connection_closed'],
  /**
   * Events, counted once for each receiver: those that it took, tries that failed, and events that
   * were given up after the last try.
   */
  events: ['delivered', 'failed', 'dead'],
  sts: ['ok', 'throttled', 'misconfigured', 'unavailable'],
  /** Answers of 503, by what was not available. */
  unavailable: [
    'approvals',
    'audit',
    'break_glass',
    'break_glass_rates',
    'catalog',
    'clock',
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
 * The outcome of a call to AWS, with its retries: `refused` is a condition that did not hold, which
 * is not a fault; `late` is a call that its deadline ended.
 */
type CallOutcome = 'ok' | 'refused' | 'throttled' | 'late' | 'failed';

/** A measured call to AWS. */
export type AwsCall = {
  readonly service: 'dynamodb' | 'sns' | 'ssm' | 'sts';
  /** The operation's name, like `PutItem`. */
  readonly operation: string;
  readonly outcome: CallOutcome;
  readonly milliseconds: number;
};

/** An answered request: which of the server's paths it was for, and its status. */
export type Answered = {
  readonly route: string;
  readonly status: number;
  readonly milliseconds: number;
};

/**
 * The state of the server at a moment. Ages are in seconds, undefined where nothing was read yet;
 * caches count since the start.
 */
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

/** Where the server reports what it does. Nothing here can fail a request. */
export type Meter = {
  readonly count: <What extends keyof Counted>(what: What, outcome: Counted[What]) => void;
  /** @param milliseconds how long the step took, whether it succeeded or not */
  readonly observe: (stage: Stage, milliseconds: number) => void;
  /** Reports that a call to AWS has ended, whether it succeeded or not. */
  readonly called: (call: AwsCall) => void;
  /** Reports an answered request. Health checks are not reported. */
  readonly answered: (answered: Answered) => void;
};

/** Wraps a function so that the meter observes how long each call takes. */
export function timed<Given extends readonly unknown[], Value>(
  meter: Meter,
  stage: Stage,
  step: (...given: Given) => Promise<Value>,
): (...given: Given) => Promise<Value> {
  async function timedStep(...given: Given): Promise<Value> {
    const begun = performance.now();
    try {
      return await step(...given);
    } finally {
      meter.observe(stage, performance.now() - begun);
    }
  }

  return timedStep;
}

function none(): void {
  return undefined;
}

/** A meter that reports nothing. */
export const silentMeter: Meter = { count: none, observe: none, called: none, answered: none };
