import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  GetParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { isLocalEndpoint } from '../aws/endpoint.ts';
import {
  DEFAULT_TABLE_NAMES,
  tableDefinitions,
  type TableDefinition,
  type TableNames,
} from '../aws/tables.ts';
import { MINUTE, SECOND } from '../lib/clock.ts';
import { DEMO_TVM_KEY } from './aws/account.ts';
import { demoDocuments, type DemoDocument } from './demo.ts';

/** Where to seed, with which credentials, and what to seed. */
export type SeedOptions = {
  readonly endpoint: string;
  readonly region: string;
  /** The TVM's demo key by default. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  readonly root?: string;
  readonly secretsRoot?: string;
  readonly tables?: TableNames;
  /** Gets one line for each table and document that was made or found. */
  readonly report: (line: string) => void;
  /** Milliseconds to wait for an endpoint that does not answer yet; a minute by default. */
  readonly patience?: number;
};

/** The roots of documents where none are configured, as the TVM's. */
export const DEFAULT_ROOTS = { root: '/sentinel', secretsRoot: '/sentinel-secrets' } as const;

/**
 * Makes the tables and the demo documents in the AWS at `endpoint`. What exists already is not
 * changed, so it can be run again at any time. The account is the one that GetCallerIdentity
 * returns.
 *
 * Rejects with a sentence if the endpoint is neither loopback nor a host name without dots, or if
 * nothing answers there in time; with the SDK's error if AWS refuses.
 */
export async function seed(options: SeedOptions): Promise<void> {
  const { endpoint, region, report } = options;
  if (!isLocalEndpoint(endpoint)) {
    throw new Error(
      `Demo documents are written to a local AWS only (loopback, or a host name without dots), not to ${endpoint}.`,
    );
  }
  const client = { endpoint, region, credentials: options.credentials ?? DEMO_TVM_KEY };
  const sts = new STSClient({ ...client, maxAttempts: 1 });
  const dynamodb = new DynamoDBClient(client);
  const ssm = new SSMClient(client);
  try {
    const account = await untilReachable(sts, options);
    for (const definition of tableDefinitions(options.tables ?? DEFAULT_TABLE_NAMES)) {
      report(await seedTable(dynamodb, definition));
    }
    const { root = DEFAULT_ROOTS.root, secretsRoot = DEFAULT_ROOTS.secretsRoot } = options;
    const documents = demoDocuments({
      account,
      root: trimmed(root),
      secretsRoot: trimmed(secretsRoot),
    });
    for (const document of documents) report(await seedParameter(ssm, document));
    const secrets = trimmed(secretsRoot);
    report(await seedDrawn(ssm, `${secrets}/keys/local`, (key) => ({ key })));
    report(await seedDrawn(ssm, `${secrets}/webhook`, (key) => ({ keys: [key] })));
  } finally {
    for (const each of [sts, dynamodb, ssm]) each.destroy();
  }
}

function trimmed(root: string): string {
  return root.replace(/\/+$/u, '');
}

/** Whether an error is AWS's final answer, which asking again would not change. */
function isFinal(cause: unknown): boolean {
  const metadata = cause instanceof Error && '$metadata' in cause ? cause.$metadata : undefined;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : 0;
  return typeof status === 'number' && status >= 400 && status < 500;
}

/**
 * The account. Asks until there is an answer, because the AWS of a container may still be starting.
 */
async function untilReachable(
  sts: STSClient,
  { endpoint, patience = MINUTE }: Pick<SeedOptions, 'endpoint' | 'patience'>,
): Promise<string> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      const request = { abortSignal: AbortSignal.timeout(10 * SECOND) };
      const { Account } = await sts.send(new GetCallerIdentityCommand({}), request);
      if (Account !== undefined) return Account;
    } catch (cause) {
      if (isFinal(cause)) throw cause;
      if (Date.now() >= deadline) {
        const detail = cause instanceof Error ? cause.message || cause.name : String(cause);
        throw new Error(`No AWS answers at ${endpoint}: ${detail}.`, { cause });
      }
    }
    await sleep(SECOND / 2);
  }
}

/** Makes a table with its time to live, unless it exists; returns a line that says which. */
export async function seedTable(
  dynamodb: DynamoDBClient,
  definition: TableDefinition,
): Promise<string> {
  const TableName = definition.create.TableName;
  let verb = 'made';
  try {
    await dynamodb.send(new CreateTableCommand(definition.create));
  } catch (cause) {
    if (!(cause instanceof ResourceInUseException)) throw cause;
    verb = 'found';
  }
  await untilActive(dynamodb, TableName);
  await enableTimeToLive(dynamodb, TableName, definition.ttlAttribute);
  return `${verb} table ${TableName}`;
}

async function untilActive(dynamodb: DynamoDBClient, TableName: string): Promise<void> {
  const deadline = Date.now() + MINUTE;
  while (Date.now() < deadline) {
    const status = await tableStatus(dynamodb, TableName);
    if (status === 'ACTIVE') return;
    await sleep(SECOND / 20);
  }
  throw new Error(`The table ${TableName} has not become active within a minute.`);
}

async function tableStatus(
  dynamodb: DynamoDBClient,
  TableName: string,
): Promise<string | undefined> {
  try {
    return (await dynamodb.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus;
  } catch (cause) {
    // Right after its creation a table may not be known everywhere.
    if (cause instanceof ResourceNotFoundException) return undefined;
    throw cause;
  }
}

async function enableTimeToLive(
  dynamodb: DynamoDBClient,
  TableName: string,
  AttributeName: string,
): Promise<void> {
  const { TimeToLiveDescription } = await dynamodb.send(
    new DescribeTimeToLiveCommand({ TableName }),
  );
  const status = TimeToLiveDescription?.TimeToLiveStatus;
  if (status === 'ENABLED' || status === 'ENABLING') return;
  const TimeToLiveSpecification = { AttributeName, Enabled: true };
  await dynamodb.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
}

async function seedParameter(ssm: SSMClient, { name, type, value }: DemoDocument): Promise<string> {
  try {
    await ssm.send(
      new PutParameterCommand({ Name: name, Type: type, Value: value, Overwrite: false }),
    );
    return `made parameter ${name}`;
  } catch (cause) {
    if (!(cause instanceof ParameterAlreadyExists)) throw cause;
  }
  const same = (await parameterValue(ssm, name)) === value;
  return same
    ? `found parameter ${name}`
    : `found parameter ${name}, which differs from the demo's and is kept`;
}

/**
 * Makes a document with a key that is drawn once for each local AWS: no key that everybody knows
 * may seal or sign anything, not even there.
 */
async function seedDrawn(
  ssm: SSMClient,
  Name: string,
  documentOf: (key: string) => object,
): Promise<string> {
  const Value = JSON.stringify(documentOf(randomBytes(32).toString('base64')));
  try {
    await ssm.send(
      new PutParameterCommand({ Name, Type: 'SecureString', Value, Overwrite: false }),
    );
    return `made parameter ${Name}`;
  } catch (cause) {
    if (!(cause instanceof ParameterAlreadyExists)) throw cause;
    return `found parameter ${Name}`;
  }
}

async function parameterValue(ssm: SSMClient, Name: string): Promise<string | undefined> {
  try {
    return (await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }))).Parameter
      ?.Value;
  } catch (cause) {
    if (cause instanceof ParameterNotFound) return undefined;
    throw cause;
  }
}
