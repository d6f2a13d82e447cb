import type { Answered, AwsCall, Counted, Meter, Readings, Stage } from './meter.ts';

const NAMESPACE = 'SentinelTVM';

/** CloudWatch takes so many values of one metric in a line. */
const VALUES = 100;

function pascal(name: string): string {
  return name.replace(/(?:^|_)([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}

function inUnit(Unit: string) {
  return (Name: string) => ({ Name, Unit });
}

/**
 * A meter for AWS Lambda, where nobody can ask: CloudWatch makes metrics of the lines of its embedded metric format. A line
 * is written when a request was answered, for no timer may be relied on there.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 *
 * @param write gets each line, with its end; it goes to stderr, for stdout holds audit records alone
 * @param now epoch milliseconds
 */
export function createEmfMeter(
  { region, now, write }: { region: string; now: () => number; write: (line: string) => void },
  read: () => Readings,
): Meter {
  let latencies = new Map<string, number[]>();
  let counts = new Map<string, number>();
  let cache = { hits: 0, misses: 0 };
  let lost = 0;

  function latency(name: string, milliseconds: number): void {
    const values = latencies.get(name) ?? [];
    if (values.length < VALUES) values.push(Math.round(milliseconds * 1000) / 1000);
    latencies.set(name, values);
  }
  function add(name: string, amount: number): void {
    return void counts.set(name, (counts.get(name) ?? 0) + amount);
  }

  // The outcome is part of the name: a dimension would cost a metric as well, and make one line for each.
  function count<What extends keyof Counted>(what: What, outcome: Counted[What]): void {
    return add(`${pascal(what)}${pascal(outcome)}`, 1);
  }

  function called({ service, outcome }: AwsCall): void {
    return add(`${pascal(service)}Calls${pascal(outcome)}`, 1);
  }

  function observe(stage: Stage, milliseconds: number): void {
    return latency(`${pascal(stage)}Latency`, milliseconds);
  }

  function answered({ status, milliseconds }: Answered): void {
    latency('RequestLatency', milliseconds);
    add(`Requests${Math.floor(status / 100)}xx`, 1);
    const readings = read();
    add('CacheHits', readings.cacheHits - cache.hits);
    add('CacheMisses', readings.cacheMisses - cache.misses);
    cache = { hits: readings.cacheHits, misses: readings.cacheMisses };
    add('AuditLost', readings.auditLost - lost);
    lost = readings.auditLost;
    const seconds = Object.entries({
      CatalogAge: readings.catalogAge,
      RevocationsAge: readings.revocationsAge,
    }).filter((entry): entry is [string, number] => entry[1] !== undefined);
    add('CatalogRejected', readings.catalogRejected);
    const Metrics = [
      ...[...latencies.keys()].map(inUnit('Milliseconds')),
      ...[...counts.keys()].map(inUnit('Count')),
      ...seconds.map(([name]) => inUnit('Seconds')(name)),
    ];
    const line = {
      _aws: { Timestamp: now(), CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['Region']], Metrics }] },
      Region: region,
      ...Object.fromEntries(latencies),
      ...Object.fromEntries(counts),
      ...Object.fromEntries(seconds),
    };
    latencies = new Map();
    counts = new Map();
    write(`${JSON.stringify(line)}\n`);
  }

  return { count, called, observe, answered };
}
