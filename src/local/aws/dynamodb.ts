import { EventEmitter } from 'node:events';
import dynalite from 'dynalite';
import * as v from 'valibot';
import { errorAnswer, jsonAnswer, type Answer } from './responses.ts';

/** One authentic call of DynamoDB, as it came in. */
export type DynamoCall = {
  readonly url: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** The operation that an X-Amz-Target header names, `Prefix.Operation`. */
export function operationOf(target: string): string {
  return target.slice(target.indexOf('.') + 1);
}

type Backend = (call: DynamoCall) => Promise<Answer>;

/**
 * dynalite without a socket: its server gets a request from memory, and the answer is collected.
 * The body is passed within `emit`, so that an exception of its parser can be caught here and does
 * not end the process.
 */
function createBackend(): Backend {
  const server = dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 });
  function send({ url, headers, body }: DynamoCall): Promise<Answer> {
    return new Promise((resolve) => {
      const collected: Record<string, string> = {};
      const response = {
        statusCode: 200,
        setHeader: (name: string, value: string | number) => {
          collected[name.toLowerCase()] = `${value}`;
        },
        end: (text = '') =>
          resolve({ status: response.statusCode, headers: collected, body: text }),
      };
      const request = Object.assign(new EventEmitter(), { method: 'POST', url, headers });
      try {
        server.emit('request', request, response);
        request.emit('data', Buffer.from(body));
        request.emit('end');
      } catch {
        const message = 'The request could not be understood.';
        resolve(errorAnswer('dynamodb', { code: 'SerializationException', status: 400, message }));
      }
    });
  }

  return send;
}

const DescribeInput = v.object({ TableName: v.string() });
const UpdateInput = v.object({
  TableName: v.string(),
  TimeToLiveSpecification: v.object({
    AttributeName: v.pipe(v.string(), v.minLength(1)),
    Enabled: v.boolean(),
  }),
});

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function invalid(message: string): Answer {
  return errorAnswer('dynamodb', { code: 'ValidationException', status: 400, message });
}

/**
 * DynamoDB: dynalite, with the operations for a table's time to live, which it lacks. The setting
 * is stored and returned, but nothing is deleted; readers must not rely on timely deletion in AWS
 * either.
 */
export function createDynamoDb(): Backend {
  const backend = createBackend();
  const ttlAttributes = new Map<string, string>();

  /**
   * The error for a table that does not exist, which dynalite's own DescribeTimeToLive gives;
   * undefined if it exists.
   */
  async function missingTable(call: DynamoCall, table: string): Promise<Answer | undefined> {
    const headers = { ...call.headers, 'x-amz-target': 'DynamoDB_20120810.DescribeTimeToLive' };
    const answer = await backend({
      ...call,
      headers,
      body: Buffer.from(JSON.stringify({ TableName: table })),
    });
    return answer.status === 200 ? undefined : answer;
  }

  async function describe(call: DynamoCall): Promise<Answer> {
    const input = v.safeParse(DescribeInput, parseJson(call.body));
    if (!input.success) return invalid('TableName is missing.');
    const { TableName } = input.output;
    const missing = await missingTable(call, TableName);
    if (missing !== undefined) return missing;
    const attribute = ttlAttributes.get(TableName);
    const description =
      attribute === undefined
        ? { TimeToLiveStatus: 'DISABLED' }
        : { TimeToLiveStatus: 'ENABLED', AttributeName: attribute };
    return jsonAnswer('dynamodb', { TimeToLiveDescription: description });
  }

  async function update(call: DynamoCall): Promise<Answer> {
    const input = v.safeParse(UpdateInput, parseJson(call.body));
    if (!input.success)
      return invalid('TableName or TimeToLiveSpecification is missing or malformed.');
    const { TableName, TimeToLiveSpecification } = input.output;
    const missing = await missingTable(call, TableName);
    if (missing !== undefined) return missing;
    const { AttributeName, Enabled } = TimeToLiveSpecification;
    if (ttlAttributes.has(TableName) === Enabled) {
      return invalid(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
    }
    if (Enabled) ttlAttributes.set(TableName, AttributeName);
    else ttlAttributes.delete(TableName);
    return jsonAnswer('dynamodb', { TimeToLiveSpecification });
  }

  async function deleteTable(call: DynamoCall): Promise<Answer> {
    const answer = await backend(call);
    const input = v.safeParse(DescribeInput, parseJson(call.body));
    if (answer.status === 200 && input.success) ttlAttributes.delete(input.output.TableName);
    return answer;
  }

  function answer(call: DynamoCall): Promise<Answer> {
    const target = call.headers['x-amz-target'] ?? '';
    if (target === 'DynamoDB_20120810.DescribeTimeToLive') return describe(call);
    if (target === 'DynamoDB_20120810.UpdateTimeToLive') return update(call);
    return target === 'DynamoDB_20120810.DeleteTable' ? deleteTable(call) : backend(call);
  }

  return answer;
}
