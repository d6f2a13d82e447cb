import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { SealingKey, SealingKeys } from '../../src/lib/sealing.ts';
import { createRevocations } from '../../src/revocations/feed.ts';
import type { ForeignRevocations } from '../../src/revocations/sentinel-rows.ts';
import type { Revocation, RevocationTarget } from '../../src/revocations/revocation.ts';
import { createRevocationLog } from '../../src/revocations/log.ts';
import { createRevocationWriter, type NewEntry } from '../../src/revocations/writer.ts';
import { holds, updated } from '../support/expressions.ts';
import type { Item } from './support.ts';

function refused(): Error {
  return new ConditionalCheckFailedException({ message: 'no', $metadata: {} });
}

/** Is called before and after a call takes effect: here a test may wait, or throw. */
export type Step = (what: string, when: 'before' | 'after') => Promise<void>;

/**
 * A table in memory for the commands that the log sends. They take effect one at a time, so that a
 * test decides what happens between them. A scan has pages of two items and, as in DynamoDB, is no
 * snapshot.
 */
export function createFakeTable(step: Step = () => Promise.resolve()) {
  const items = new Map<string, Item>();
  /** The guard table, which others who may write the log cannot write. */
  const guard = new Map<string, Item>();
  const control = { step };

  function execute(command: unknown): object {
    const answer = run(command);
    const { TableName } = (command as { input: { TableName: string } }).input;
    return { ...answer, ConsumedCapacity: { TableName } };
  }

  function run(command: unknown): object {
    if (command instanceof QueryCommand) {
      const item = tableOf(command.input).get(
        command.input.ExpressionAttributeValues?.[':id']?.S ?? '',
      );
      return { Items: item === undefined ? [] : [item] };
    }
    if (command instanceof ScanCommand) {
      // In an order that has nothing to do with the numbers, as by a hash.
      const ids = [...items.keys()].toSorted((a, b) => scatter(a) - scatter(b));
      const after = command.input.ExclusiveStartKey?.['id']?.S;
      const start =
        after === undefined ? 0 : ids.filter((id) => scatter(id) <= scatter(after)).length;
      const page = ids.slice(start, start + 2);
      const isLast = start + 2 >= ids.length;
      return {
        Items: page.map((id) => items.get(id)),
        ...(isLast ? {} : { LastEvaluatedKey: { id: { S: page.at(-1) ?? '' } } }),
      };
    }
    if (command instanceof PutItemCommand) {
      const item = command.input.Item as Item;
      const id = item['id']?.S ?? '';
      if (!holds(command.input, tableOf(command.input).get(id))) throw refused();
      tableOf(command.input).set(id, item);
      return {};
    }
    if (command instanceof UpdateItemCommand || command instanceof DeleteItemCommand) {
      const id = command.input.Key?.['id']?.S ?? '';
      const there = tableOf(command.input).get(id);
      if (!holds(command.input, there)) throw refused();
      if (command instanceof DeleteItemCommand) tableOf(command.input).delete(id);
      else tableOf(command.input).set(id, updated(command.input, id, there));
      return {};
    }
    throw new Error('a command that the log does not send');
  }

  function tableOf({ TableName = '' }: { TableName?: string | undefined }) {
    return TableName.includes('guard') ? guard : items;
  }

  async function send(command: object): Promise<object> {
    const what = command.constructor.name;
    await control.step(what, 'before');
    const answer = execute(command);
    await control.step(what, 'after');
    return answer;
  }
  return { client: { send } as unknown as DynamoDBClient, items, guard, control };
}

function scatter(id: string): number {
  let sum = 0;
  for (const one of id) sum = (sum * 31 + one.charCodeAt(0) * 7919) % 1_000_003;
  return sum;
}

export type FakeTable = ReturnType<typeof createFakeTable>;

function sealingKey(id: string): SealingKey {
  return { id, key: randomBytes(32), activeFrom: 0 };
}
export const SEALING = sealingKey('k1');
const KEYS: SealingKeys = new Map([[SEALING.id, SEALING]]);
/** A key of the same id that no TVM of the tests has. */
export const STRANGE = sealingKey('k1');

export const NOW = Date.parse('2026-01-05T12:00:00Z');

/** A new entry that revokes a target, alice by default. */
export function entry(target: RevocationTarget = ALICE, more: Partial<Revocation> = {}): NewEntry {
  return {
    what: 'revoke',
    target,
    reason: 'why',
    by: 'olivia',
    byPrincipal: 'sentinel:key/O',
    createdAt: NOW,
    until: undefined,
    own: false,
    ...more,
  };
}

export const ALICE: RevocationTarget = { kind: 'user', value: 'alice' };
export function user(value: string): RevocationTarget {
  return { kind: 'user', value };
}

/** An unsigned row, as others may put it. */
export function rawEntry(n: number, more: Item = {}): Item {
  return {
    id: { S: `rev#${n}` },
    n: { N: String(n) },
    what: { S: 'revoke' },
    kind: { S: 'user' },
    value: { S: 'alice' },
    ...more,
  };
}

export function rawHead(n: number): Item {
  return { id: { S: 'head' }, n: { N: String(n) } };
}

export const NO_FOREIGN: ForeignRevocations = {
  read: () => Promise.resolve(),
  ofVend: () => undefined,
};

type FeedOptions = Partial<Parameters<typeof createRevocations>[0]> & {
  readonly keys?: () => SealingKeys;
};

/**
 * The log of one instance on a table, with a writer that does not know what others wrote before.
 */
export function logOf(table: Pick<FakeTable, 'client'>, keys: () => SealingKeys = () => KEYS) {
  const log = createRevocationLog({
    client: table.client,
    table: 'sentinel-revocations',
    guard: 'sentinel-guard',
    sealingKeys: keys,
    clock: () => NOW,
  });
  return { ...log, append: createRevocationWriter(log, () => undefined) };
}

/** The feed of one instance on a table, with clocks that stand still until a test moves them. */
export function feedOf(table: Pick<FakeTable, 'client'>, more: FeedOptions = {}) {
  const time = { now: NOW, monotonic: 1_000 };
  const faults: unknown[] = [];
  const told: Revocation[] = [];
  const { keys = () => KEYS, ...options } = more;
  const feed = createRevocations({
    log: logOf(table, keys),
    foreign: NO_FOREIGN,
    clock: () => time.now,
    monotonic: () => time.monotonic,
    bound: 3_000,
    grace: 0,
    keysAre: () => [...keys().keys()].join(' '),
    upkeep: () => Promise.resolve(undefined),
    onRevocation: (revocation) => void told.push(revocation),
    onFault: (error) => void faults.push(error),
    ...options,
  });
  return {
    ...feed,
    time,
    faults,
    told,
    /** Lets what is known grow too old, and so makes the feed read. */
    poll: (ms = 4_000) => {
      time.now += ms;
      time.monotonic += ms;
      return feed.ensure();
    },
    numbers: () => feed.list().map(({ n }) => n),
    names: () => feed.list().map(({ target }) => ('value' in target ? target.value : target.kind)),
  };
}

export const FRESH = { ok: true, value: 'fresh' };
export const GRACE = { ok: true, value: 'grace' };
export const UNAVAILABLE = { ok: false, refusal: 'unavailable' };
