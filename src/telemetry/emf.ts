import type { Answered, AwsCall, Counted, Meter, Readings, Stage } from './meter.ts';

const NAMESPACE = 'SentinelTVM';

/** Values of one metric in a line, which is CloudWatch's limit. */
const VALUES = 100;

function pascal(name: string): string {
  return name.replace(/(?:^|_)([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}

function inUnit(Unit: string, names: Iterable<string>) {
  return [...names].map((Name) => ({ Name, Unit }));
}

/**
 * A meter for AWS Lambda, where no port can be scraped: CloudWatch makes metrics of log lines in
 * its embedded metric format. A line is written with each answered request, because timers do not
 * run reliably there.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 *
 * @param write gets each line with its line break; to stderr, because stdout is for audit records
 *   only
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
    counts.set(name, (counts.get(name) ?? 0) + amount);
  }

  // The outcome is part of the name: as a dimension it would cost as many metrics, in more lines.
  function count<What extends keyof Counted>(what: What, outcome: Counted[What]): void {
    add(`${pascal(what)}${pascal(outcome)}`, 1);
  }

  function called({ service, outcome }: AwsCall): void {
    add(`${pascal(service)}Calls${pascal(outcome)}`, 1);
  }

  function observe(stage: Stage, milliseconds: number): void {
    latency(`${pascal(stage)}Latency`, milliseconds);
  }

  /** Writes a line with what happened since the last one, and begins anew. */
  function writeLine(ages: Readonly<Record<string, number>>): void {
    const Metrics = [
      ...inUnit('Milliseconds', latencies.keys()),
      ...inUnit('Count', counts.keys()),
      ...inUnit('Seconds', Object.keys(ages)),
    ];
    const line = {
      _aws: {
        Timestamp: now(),
        CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['Region']], Metrics }],
      },
      Region: region,
      ...Object.fromEntries(latencies),
      ...Object.fromEntries(counts),
      ...ages,
    };
    latencies = new Map();
    counts = new Map();
    write(`${JSON.stringify(line)}\n`);
  }

  function answered({ status, milliseconds }: Answered): void {
    latency('RequestLatency', milliseconds);
    add(`Requests${Math.floor(status / 100)}xx`, 1);
    const { cacheHits, cacheMisses, auditLost, catalogRejected, catalogAge, revocationsAge } =
      read();
    add('CacheHits', cacheHits - cache.hits);
    add('CacheMisses', cacheMisses - cache.misses);
    cache = { hits: cacheHits, misses: cacheMisses };
    add('AuditLost', auditLost - lost);
    lost = auditLost;
    add('CatalogRejected', catalogRejected);
    writeLine({
      ...(catalogAge === undefined ? {} : { CatalogAge: catalogAge }),
      ...(revocationsAge === undefined ? {} : { RevocationsAge: revocationsAge }),
    });
  }

  return { count, called, observe, answered };
}
