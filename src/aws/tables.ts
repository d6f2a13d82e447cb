import type { CreateTableCommandInput, GlobalSecondaryIndex } from '@aws-sdk/client-dynamodb';

/**
 * One DynamoDB table: the input of CreateTable, and the attribute by which DynamoDB expires items.
 */
export type TableDefinition = {
  readonly create: CreateTableCommandInput & { readonly TableName: string };
  readonly ttlAttribute: string;
};

/** The names of the six tables; configuration may change each of them. */
export type TableNames = {
  readonly sessions: string;
  readonly requests: string;
  readonly breakglass: string;
  readonly revocations: string;
  readonly guard: string;
  /** The head of each chain of audit records. */
  readonly audit: string;
};

/** The names that Sentinel and this project use by default. */
export const DEFAULT_TABLE_NAMES: TableNames = {
  sessions: 'sentinel-sessions',
  requests: 'sentinel-requests',
  breakglass: 'sentinel-breakglass',
  revocations: 'sentinel-revocations',
  guard: 'sentinel-guard',
  audit: 'sentinel-audit',
};

function index(name: string, hashKey: string): GlobalSecondaryIndex {
  return {
    IndexName: name,
    KeySchema: [
      { AttributeName: hashKey, KeyType: 'HASH' },
      { AttributeName: 'created_at', KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'ALL' },
  };
}

function table(
  name: string,
  indexes: readonly (readonly [name: string, hashKey: string])[],
): TableDefinition {
  const keys =
    indexes.length === 0 ? ['id'] : ['id', 'created_at', ...indexes.map(([, hashKey]) => hashKey)];
  return {
    create: {
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: keys.map((key) => ({ AttributeName: key, AttributeType: 'S' })),
      ...(indexes.length === 0
        ? {}
        : { GlobalSecondaryIndexes: indexes.map(([of, hashKey]) => index(of, hashKey)) }),
    },
    ttlAttribute: 'ttl',
  };
}

/**
 * The tables with the keys and indexes of the Go project (primary key `id`, time to live `ttl`,
 * indexes sorted by `created_at`), so that an organisation that runs Sentinel keeps its tables and
 * its CLI. `gsi-shard` is the TVM's own, for lists of all sessions; `gsi-status` serves Sentinel's
 * CLI, and finds the sessions that it revoked. `gsi-outbox` is the TVM's own as well, with the rows
 * whose event is not sent yet; without it they are found by `gsi-status`.
 */
export function tableDefinitions(names: TableNames): readonly TableDefinition[] {
  return [
    table(names.sessions, [
      ['gsi-user', 'user'],
      ['gsi-status', 'status'],
      ['gsi-profile', 'profile'],
      ['gsi-server-instance', 'server_instance_id'],
      ['gsi-shard', 'shard'],
    ]),
    table(names.requests, [
      ['gsi-requester', 'requester'],
      ['gsi-status', 'status'],
      ['gsi-profile', 'profile'],
      ['gsi-outbox', 'outbox'],
    ]),
    table(names.breakglass, [
      ['gsi-invoker', 'invoker'],
      ['gsi-status', 'status'],
      ['gsi-profile', 'profile'],
      ['gsi-outbox', 'outbox'],
    ]),
    table(names.revocations, []),
    table(names.guard, []),
    table(names.audit, []),
  ];
}
