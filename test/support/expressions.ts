import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** Evaluates those of DynamoDB's expressions that the TVM sends, for fake tables in memory. */
type Item = Record<string, AttributeValue>;

export type Expressions = {
  readonly ConditionExpression?: string | undefined;
  readonly UpdateExpression?: string | undefined;
  readonly ExpressionAttributeNames?: Record<string, string> | undefined;
  readonly ExpressionAttributeValues?: Item | undefined;
};

function plain(value: AttributeValue | undefined): string | number | boolean | undefined {
  if (value?.N !== undefined) return Number(value.N);
  return value?.S ?? value?.BOOL;
}

/** Compares two values. Values of different types are unequal and have no order. */
function compare(
  operator: string,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  const [a, b] = [plain(left), plain(right)];
  if (operator === '<>') return a !== b;
  if (a === undefined || b === undefined || typeof a !== typeof b) return false;
  if (operator === '=') return a === b;
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  if (operator === '>') return a > b;
  if (operator === '>=') return a >= b;
  throw new Error(`an operator that is not known here: ${operator}`);
}

/**
 * Whether the condition of a command holds for an item, which is undefined if it does not exist.
 */
export function holds(command: Expressions, item: Item | undefined): boolean {
  const tokens = command.ConditionExpression?.match(/[()]|<=|>=|<>|[=<>]|[#:\w]+/gu) ?? [];
  function nameOf(token: string): string {
    return command.ExpressionAttributeNames?.[token] ?? token;
  }
  function valueOf(token: string): AttributeValue | undefined {
    return token.startsWith(':')
      ? command.ExpressionAttributeValues?.[token]
      : item?.[nameOf(token)];
  }
  let at = 0;
  function next(): string {
    const token = tokens[at];
    if (token === undefined) throw new Error('the condition ends too early');
    at += 1;
    return token;
  }
  function primary(): boolean {
    const token = next();
    if (token === '(') {
      const value = either();
      next();
      return value;
    }
    if (token === 'attribute_exists' || token === 'attribute_not_exists') {
      next();
      const there = item?.[nameOf(next())] !== undefined;
      next();
      return there === (token === 'attribute_exists');
    }
    const operator = next();
    return compare(operator, valueOf(token), valueOf(next()));
  }
  function both(): boolean {
    let value = primary();
    while (tokens[at] === 'AND') {
      at += 1;
      value = primary() && value;
    }
    return value;
  }
  function either(): boolean {
    let value = both();
    while (tokens[at] === 'OR') {
      at += 1;
      value = both() || value;
    }
    return value;
  }
  return tokens.length === 0 || either();
}

/** The item after the SET and REMOVE of a command. */
export function updated(command: Expressions, id: string, item: Item | undefined): Item {
  const result: Item = { ...item, id: { S: id } };
  function nameOf(token: string): string {
    return command.ExpressionAttributeNames?.[token] ?? token;
  }
  const parts = command.UpdateExpression?.split(/\b(SET|REMOVE)\b/u) ?? [];
  for (const [index, part] of parts.entries()) {
    const rest = (parts[index + 1] ?? '').split(',').map((one) => one.trim());
    if (part === 'REMOVE') for (const name of rest) delete result[nameOf(name)];
    if (part === 'SET') {
      for (const one of rest) {
        const [name = '', value = ''] = one.split('=').map((side) => side.trim());
        const found = command.ExpressionAttributeValues?.[value];
        if (found === undefined) throw new Error(`no value ${value}`);
        result[nameOf(name)] = found;
      }
    }
  }
  return result;
}
