import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { VERSION } from '../lib/version.ts';
import {
  COUNTED,
  type Answered,
  type AwsCall,
  type Counted,
  type Meter,
  type Readings,
  type Stage,
} from './meter.ts';

/** A meter that Prometheus scrapes. */
export type PrometheusMeter = Meter & {
  /** All metrics as text, with the content type that says which version of the format it is. */
  readonly scrape: () => Promise<{ readonly contentType: string; readonly text: string }>;
};

/** In seconds: from a vend without a call to AWS, to the last retry of STS. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Gauges of prom-client with names of counters, about which promtool warns. */
const NOT_CONVENTIONAL = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

const HELP: Readonly<Record<keyof Counted, string>> = {
  vends: 'Requests for credentials that were decided, by outcome',
  keys: 'Requests for a key of the TVM, by outcome',
  revocations: 'Attempts to revoke or to lift, by effect',
  approvals: 'Actions on requests for an approval, by effect',
  break_glass:
    'Uses of break-glass: openings and drills, vends, confirmations, closings, reviews, and refusals',
  identity_refused: 'Requests refused before they were decided, by reason',
  turned_away: 'Requests and connections that there was no room for, by what was done',
  events: 'Events to receivers: taken, tries that failed, and those given up',
  sts: 'Calls of AssumeRole, by region and outcome',
  unavailable: 'Answers of 503, by what was not available',
};

/**
 * Metrics by Prometheus's conventions: base units, `_total` for what only grows.
 * https://prometheus.io/docs/practices/naming/
 *
 * @param read gives the state of the server at the time of a scrape
 */
export function createPrometheusMeter(region: string, read: () => Readings): PrometheusMeter {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of NOT_CONVENTIONAL) registry.removeSingleMetric(name);
  addBuildInfo(registry);
  const counters = addCounters(registry, region);
  const { stages, requests, calls } = addHistograms(registry);
  addGauges(registry, read);
  addReadCounters(registry, read);

  function count<What extends keyof Counted>(what: What, outcome: Counted[What]): void {
    counters[what].inc(labelsOf(what, outcome, region));
  }

  function called({ service, operation, outcome, milliseconds }: AwsCall): void {
    calls.observe({ service, operation, outcome }, milliseconds / 1000);
  }

  function observe(stage: Stage, milliseconds: number): void {
    stages.observe({ stage }, milliseconds / 1000);
  }

  function answered({ route, status, milliseconds }: Answered): void {
    requests.observe({ route, status }, milliseconds / 1000);
  }

  async function scrape() {
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  return { count, called, observe, answered, scrape };
}

/** Only AssumeRole is counted by region: the limits of STS are per region. */
function labelsOf(what: keyof Counted, outcome: string, region: string) {
  return what === 'sts' ? { outcome, region } : { outcome };
}

type Counters = Readonly<Record<keyof Counted, Counter<'outcome' | 'region'>>>;

/** What the server counts itself, with every series at zero. */
function addCounters(registry: Registry, region: string): Counters {
  function counter(what: keyof Counted) {
    const made = new Counter({
      name: `sentinel_${what}_total`,
      help: HELP[what],
      labelNames: ['outcome', 'region'],
      registers: [registry],
    });
    for (const outcome of COUNTED[what]) made.inc(labelsOf(what, outcome, region), 0);
    return made;
  }

  return {
    vends: counter('vends'),
    keys: counter('keys'),
    revocations: counter('revocations'),
    approvals: counter('approvals'),
    break_glass: counter('break_glass'),
    identity_refused: counter('identity_refused'),
    turned_away: counter('turned_away'),
    events: counter('events'),
    sts: counter('sts'),
    unavailable: counter('unavailable'),
  };
}

function addHistograms(registry: Registry) {
  const common = { buckets: BUCKETS, registers: [registry] };
  const stages = new Histogram({
    ...common,
    name: 'sentinel_stage_seconds',
    help: 'What the steps of a request took',
    labelNames: ['stage'],
  });
  const requests = new Histogram({
    ...common,
    name: 'sentinel_request_seconds',
    help: 'Requests but for health checks, by path and status',
    labelNames: ['route', 'status'],
  });
  const calls = new Histogram({
    ...common,
    name: 'sentinel_aws_call_seconds',
    help: 'Calls of AWS with their retries, by service, operation and outcome',
    labelNames: ['service', 'operation', 'outcome'],
  });
  return { stages, requests, calls };
}

function addBuildInfo(registry: Registry): void {
  new Gauge({
    name: 'sentinel_build_info',
    help: 'Always 1; its labels say which version of the server runs on which Node',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version: VERSION, node: process.version }, 1);
}

/** The state of the server: the name of each gauge, its help, and its value. */
const GAUGES: readonly (readonly [
  name: string,
  help: string,
  value: (readings: Readings) => number | undefined,
])[] = [
  ['sentinel_catalog_age_seconds', 'Since the documents were read', ({ catalogAge }) => catalogAge],
  [
    'sentinel_catalog_rejected',
    'Documents that are broken',
    ({ catalogRejected }) => catalogRejected,
  ],
  [
    'sentinel_revocations_age_seconds',
    'Since the revocations were read',
    ({ revocationsAge }) => revocationsAge,
  ],
  [
    'sentinel_revocations_grace',
    '1 while the outage grace is used',
    ({ inGrace }) => Number(inGrace),
  ],
  ['sentinel_ready', '1 if requests can be served, as /readyz says', ({ ready }) => Number(ready)],
  ['sentinel_draining', '1 from SIGTERM on', ({ draining }) => Number(draining)],
  [
    'sentinel_audit_writable',
    '1 while audit lines can be written',
    ({ auditWritable }) => Number(auditWritable),
  ],
  ['sentinel_sessions', 'Sessions in memory', ({ sessions }) => sessions],
];

/** The state of the server, read with each scrape. */
function addGauges(registry: Registry, read: () => Readings): void {
  for (const [name, help, value] of GAUGES) {
    const made: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => {
        const now = value(read());
        // What is unknown has no sample; a sample of zero would be wrong.
        if (now === undefined) made.remove();
        else made.set(now);
      },
    });
  }
}

/** What other rooms count, read with each scrape. */
function addReadCounters(registry: Registry, read: () => Readings): void {
  const lost = new Counter({
    name: 'sentinel_audit_lost_total',
    help: 'Audit lines that were not written',
    registers: [registry],
    collect: () => {
      lost.reset();
      lost.inc(read().auditLost);
    },
  });
  const cache = new Counter({
    name: 'sentinel_session_cache_total',
    help: 'Reads of sessions, by whether the cache knew',
    labelNames: ['result'],
    registers: [registry],
    collect: () => {
      const { cacheHits, cacheMisses } = read();
      cache.reset();
      cache.inc({ result: 'hit' }, cacheHits);
      cache.inc({ result: 'miss' }, cacheMisses);
    },
  });
}
