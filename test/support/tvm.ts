import type { AddressInfo } from 'node:net';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { assemble, type Overrides, type Tvm } from '../../src/assemble/tvm.ts';
import type { WriteBytes } from '../../src/audit/log.ts';
import { readConfig } from '../../src/config/config.ts';
import { DEMO_TVM_KEY } from '../../src/local/aws/account.ts';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';
import { seed } from '../../src/local/seed.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** An embedded AWS with the demo documents. */
export type Desk = EmbeddedAws & {
  /** Writes a parameter, and replaces the one that is there. */
  readonly put: (name: string, value: string, type?: 'String' | 'SecureString') => Promise<void>;
};

/** Starts an embedded AWS on a free port and seeds it. */
export async function startDesk(): Promise<Desk> {
  const aws = await startEmbeddedAws({ port: 0 });
  await seed({ endpoint: aws.url, region: 'us-east-1', report: () => undefined });
  const ssm = new SSMClient({ endpoint: aws.url, region: 'us-east-1', credentials: DEMO_TVM_KEY });
  return {
    ...aws,
    put: async (name, value, type = 'String') => {
      await ssm.send(
        new PutParameterCommand({ Name: name, Value: value, Type: type, Overwrite: true }),
      );
    },
    close: async () => {
      ssm.destroy();
      await aws.close();
    },
  };
}

/** A TVM in the test's own process that listens on a free port. */
export type RunningTvm = Tvm & {
  readonly port: number;
  /** The Host header that reaches it. */
  readonly host: string;
  readonly url: string;
  /** The audit records so far. */
  readonly audit: Record<string, unknown>[];
  /** The lines of metrics so far, which are written on AWS Lambda only. */
  readonly metrics: readonly string[];
  /** The log so far, as text. */
  readonly log: () => string;
  readonly close: () => Promise<void>;
};

type Options = Overrides & {
  readonly environment?: Readonly<Record<string, string>>;
  readonly start?: boolean;
};

/**
 * Starts a TVM with an AWS endpoint, as `main` does. The SDK takes its credentials from the
 * environment, where the set-up of the tests puts the TVM's demo key.
 */
export async function startTvm(
  endpoint: string,
  { environment = {}, start = true, ...overrides }: Options = {},
): Promise<RunningTvm> {
  const config = readConfig({
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: endpoint,
    HOST: '127.0.0.1',
    PORT: '0',
    ...environment,
  });
  if (!config.ok) throw new Error(config.refusal);
  const audit: Record<string, unknown>[] = [];
  const writeAudit: WriteBytes = (bytes, done) => {
    for (const line of Buffer.from(bytes).toString().trim().split('\n'))
      audit.push(JSON.parse(line) as Record<string, unknown>);
    done(null, bytes.length);
  };
  const logged: string[] = [];
  const logger = createLogger('trace', { write: (line) => void logged.push(line) });
  const metrics: string[] = [];
  function writeMetrics(line: string): void {
    metrics.push(line);
  }
  const tvm = assemble(config.value, { writeAudit, logger, writeMetrics, ...overrides });
  const stop = new AbortController();
  if (start) await tvm.start(stop.signal);
  await new Promise<void>((resolve) => tvm.server.listen(0, '127.0.0.1', resolve));
  const { port } = tvm.server.address() as AddressInfo;
  return {
    ...tvm,
    port,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    audit,
    metrics,
    log: () => logged.join(''),
    close: async () => {
      stop.abort();
      tvm.server.closeAllConnections();
      await new Promise((resolve) => tvm.server.close(resolve));
    },
  };
}
