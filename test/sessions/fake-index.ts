import { QueryCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';

export type Item = Record<string, AttributeValue>;

export const TABLE = 'sentinel-sessions';

/** The error with which DynamoDB refuses a query. */
class ValidationException extends Error {
  override readonly name = 'ValidationException';
}

function text(item: Item | undefined, name: string): string {
  return item?.[name]?.S ?? '';
}

/** The order of rows of one moment, which DynamoDB does not document but does not change. */
function scatter(id: string): number {
  return Array.from(id).reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) % 9_973, 7);
}

function isBefore(a: Item, b: Item): boolean {
  const [left, right] = [text(a, 'created_at'), text(b, 'created_at')];
  if (left !== right) return left > right;
  const [one, other] = [scatter(text(a, 'id')), scatter(text(b, 'id'))];
  return one === other ? text(a, 'id') < text(b, 'id') : one < other;
}

type Options = {
  /** Indexes that the table has. */
  readonly indexes?: readonly string[];
  /**
   * How many rows a query gives at most, whatever its limit: DynamoDB ends a page at a megabyte.
   */
  readonly cut?: () => number;
  /** Awaited before each query; may throw. */
  readonly onQuery?: () => Promise<void> | void;
};

/** The indexes of a table in memory, which accept and refuse queries as DynamoDB does. */
export function createFakeIndex(rows: readonly Item[], options: Options = {}) {
  const items = new Map(rows.map((row) => [text(row, 'id'), row]));
  const counts = { queries: 0, read: 0 };
  const control = {
    indexes: options.indexes ?? ['user', 'profile', 'shard', 'status'],
    onQuery: options.onQuery,
  };

  function query({ input }: QueryCommand): object {
    const { '#key': key = '' } = input.ExpressionAttributeNames ?? {};
    const { ':key': value, ':low': low, ':high': high } = input.ExpressionAttributeValues ?? {};
    if (input.IndexName !== `gsi-${key}` || !control.indexes.includes(key)) {
      throw new ValidationException(
        `The table does not have the specified index: ${input.IndexName}`,
      );
    }
    const [from, to] = [low?.S ?? '', high?.S ?? ''];
    if (from > to)
      throw new ValidationException('The BETWEEN operator requires upper bound >= lower bound');
    const start = input.ExclusiveStartKey;
    if (start !== undefined) {
      const names = Object.keys(start).toSorted();
      const isKey =
        names.join(' ') === ['created_at', 'id', key].toSorted().join(' ') &&
        names.every((name) => text(start, name));
      const isInside = text(start, 'created_at') >= from && text(start, 'created_at') <= to;
      if (!isKey || !isInside || text(start, key) !== value?.S) {
        throw new ValidationException('The provided starting key is outside query boundaries');
      }
    }
    const found = [...items.values()]
      .filter(
        (item) =>
          text(item, key) === value?.S &&
          text(item, 'created_at') >= from &&
          text(item, 'created_at') <= to,
      )
      .filter((item) => start === undefined || isBefore(start, item))
      .toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
    const page = found.slice(0, Math.min(input.Limit ?? 1_000, options.cut?.() ?? 1_000));
    const last = page.at(-1);
    counts.read += page.length;
    // DynamoDB also names a next page when it stopped at the very last row.
    const isMore =
      last !== undefined && (page.length < found.length || page.length === input.Limit);
    return {
      Items: page,
      ConsumedCapacity: { TableName: TABLE },
      LastEvaluatedKey: isMore ? startKey(last, key) : undefined,
    };
  }

  async function send(command: QueryCommand): Promise<object> {
    if (!(command instanceof QueryCommand)) throw new Error('lists send queries only');
    counts.queries += 1;
    await control.onQuery?.();
    return query(command);
  }

  return {
    client: { send } as unknown as DynamoDBClient,
    items,
    counts,
    control,
    put: (item: Item): void => void items.set(text(item, 'id'), item),
  };
}

function startKey(item: Item, key: string): Item {
  return {
    id: { S: text(item, 'id') },
    created_at: { S: text(item, 'created_at') },
    [key]: { S: text(item, key) },
  };
}

export type FakeIndex = ReturnType<typeof createFakeIndex>;
