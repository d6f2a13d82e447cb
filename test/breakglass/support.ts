import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  toEvent,
  type BreakGlassEvent,
  type Opening,
  type Party,
} from '../../src/breakglass/event.ts';
import { newHexId } from '../../src/lib/ids.ts';
import type { Result } from '../../src/lib/result.ts';
import type { SealingKey, SealingKeys } from '../../src/lib/sealing.ts';
import { holds, updated } from '../support/expressions.ts';

export const NOW = Date.parse('2026-03-10T12:00:00Z');
export const TABLE = 'sentinel-breakglass';
export const GUARD = 'sentinel-guard';
export const SEALING: SealingKey = { id: 'k', key: randomBytes(32), activeFrom: 0 };
export const KEYS: SealingKeys = new Map([[SEALING.id, SEALING]]);

export type Item = Record<string, AttributeValue>;

/** An identity by its bare name. */
export function party(name: string, kind = 'key'): Party {
  const subject = `sentinel:${kind}/${name}`;
  return {
    subject,
    principal: subject,
    name: `${kind}/${name}`,
    account: '000000000000',
    uniqueId: `tag-${name}`,
  };
}

export const ALICE = party('alice');
export const BOB = party('bob');

/** What alice opens on prod for an hour unless told otherwise. */
export function opening(change: Partial<Opening> = {}): Opening {
  return {
    invoker: ALICE,
    profile: 'prod',
    reasonCode: 'incident',
    justification: 'the payment service has stopped answering',
    ticket: undefined,
    seconds: 3_600,
    rule: 'emergencies',
    drill: false,
    escalated: false,
    confirmWithin: undefined,
    reviewWithin: undefined,
    overdueBlocks: false,
    ledgers: ['key/alice'],
    seen: 7,
    ...change,
  };
}

export function eventOf(change: Partial<Opening> = {}, now = NOW): BreakGlassEvent {
  return toEvent(opening(change), { id: newHexId(), now });
}

/** The value of what must not be refused. */
export function valueOf<Value>(result: Result<Value, unknown>): Value {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
  return result.value;
}

type Command = PutItemCommand | QueryCommand | UpdateItemCommand;

/**
 * Before a call takes effect: here a test may wait, throw, or say that the call fails behind it.
 */
export type Step = (command: Command) => Promise<'ok' | 'lost' | 'twice'>;

/**
 * The tables in memory, which take the commands that this room sends, one effect at a time. `lost`
 * does what was asked and throws; `twice` does it as an SDK does whose first answer was lost.
 */
export function createFakeTables(step: Step = () => Promise.resolve('ok')) {
  const tables = new Map<string, Map<string, Item>>();
  const control = { step };
  function tableOf(name = ''): Map<string, Item> {
    const table = tables.get(name) ?? new Map<string, Item>();
    tables.set(name, table);
    return table;
  }

  function execute(command: Command): object {
    const { TableName } = command.input;
    const table = tableOf(TableName);
    if (command instanceof QueryCommand) {
      const item = table.get(command.input.ExpressionAttributeValues?.[':id']?.S ?? '');
      return { Items: item === undefined ? [] : [item], ConsumedCapacity: { TableName } };
    }
    const key = command instanceof PutItemCommand ? command.input.Item : command.input.Key;
    const id = key?.['id']?.S ?? '';
    if (!holds(command.input, table.get(id))) {
      throw new ConditionalCheckFailedException({ message: 'no', $metadata: {} });
    }
    const item =
      command instanceof PutItemCommand ? key : updated(command.input, id, table.get(id));
    table.set(id, item as Item);
    return { ConsumedCapacity: { TableName }, Attributes: item };
  }

  async function send(command: Command): Promise<object> {
    const outcome = await control.step(command);
    const answer = execute(command);
    if (outcome === 'lost') throw new Error('the answer was lost');
    return outcome === 'twice' ? execute(command) : answer;
  }

  return { client: { send } as unknown as DynamoDBClient, tableOf, control };
}
