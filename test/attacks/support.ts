import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign, type Signing } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** One request, as it will stand on the wire. */
export type Shot = {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
};

/**
 * The result of a shot. `credentials` says whether the answer holds any, in its headers or its
 * body.
 */
export type Outcome = {
  readonly status: number;
  readonly error: unknown;
  readonly credentials: boolean;
};

export const VENDED: Outcome = { status: 200, error: undefined, credentials: true };

export function refused(status: number, error: string): Outcome {
  return { status, error, credentials: false };
}

export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

type Target = Pick<RunningTvm, 'host'>;

type Parts = Partial<Signing> & {
  /** The request target as sent; by default the path and query that were signed. */
  readonly target?: string;
};

/**
 * `GET /?profile=dev`, signed by alice: vends if nothing is changed. A signed nonce makes each one
 * unique, so that no refusal can be that of a replay.
 */
export function shot(tvm: Target, { target, ...parts }: Parts = {}): Shot {
  const { method = 'GET', path = '/', query = 'profile=dev', body } = parts;
  const headers = { 'x-sentinel-nonce': newNonce(), ...parts.headers };
  const signed = sign({ host: tvm.host, ...parts, method, path, query, headers });
  return {
    method,
    target: target ?? (query === '' ? path : `${path}?${query}`),
    headers: Object.entries(signed.headers),
    ...(body === undefined ? {} : { body }),
  };
}

export const DEV_BODY = '{"profile":"dev"}';

/** `POST /` with `{"profile":"dev"}`, signed by alice, content type included. */
export function postShot(tvm: Target, parts: Parts = {}): Shot {
  return shot(tvm, {
    method: 'POST',
    query: '',
    body: DEV_BODY,
    ...parts,
    headers: { 'content-type': 'application/json', ...parts.headers },
  });
}

/** The shot with one more header. */
export function add(from: Shot, name: string, value: string): Shot {
  return {
    ...from,
    headers: [...from.headers, [name, value]],
  };
}

/** The shot with other values of one header, in the same place. */
export function change(
  from: Shot,
  name: string,
  to: (value: string) => string | readonly string[],
): Shot {
  return {
    ...from,
    headers: from.headers.flatMap(([key, value]) =>
      key === name
        ? [to(value)].flat().map((changed) => [key, changed] as const)
        : [[key, value] as const],
    ),
  };
}

export function drop(from: Shot, name: string): Shot {
  return change(from, name, () => []);
}

/** The shot with another Authorization header. */
export function withAuthorization(
  from: Shot,
  to: (value: string) => string | readonly string[],
): Shot {
  return change(from, 'authorization', to);
}

const CREDENTIALS = /AccessKeyId|SecretAccessKey|SessionToken|ASIA/u;

function vends(tvm: RunningTvm): number {
  return tvm.audit.filter(({ outcome }) => outcome === 'vended').length;
}

/**
 * The outcome that an answer shows. Every answer of the TVM is JSON, has `no-store`, an id, and a
 * refusal's name both in its body and in a header; throws if one of these is missing.
 */
export function outcomeOf({ status, headers, body, json }: RawAnswer): Outcome {
  const { error } = json;
  const isGood =
    headers['content-type'] === 'application/json' &&
    headers['cache-control'] === 'no-store' &&
    headers['x-amzn-errortype'] === error &&
    json['Code'] === error &&
    /^[0-9a-f-]{36}$/u.test(headers['x-request-id'] ?? '');
  if (!isGood)
    throw new Error(`not an answer of the TVM: ${status} ${JSON.stringify(headers)} ${body}`);
  return { status, error, credentials: CREDENTIALS.test(`${JSON.stringify(headers)}${body}`) };
}

/** Sends a shot; throws if the audit log and the answer disagree on whether credentials left. */
export async function fire(tvm: RunningTvm, what: Shot): Promise<Outcome> {
  const before = vends(tvm);
  const outcome = outcomeOf(await sendRaw(tvm.port, what));
  if (vends(tvm) - before !== (outcome.credentials ? 1 : 0))
    throw new Error('audit log and answer disagree');
  return outcome;
}

/** The message of the answer to a shot. */
export async function messageOf(tvm: RunningTvm, what: Shot): Promise<unknown> {
  return (await sendRaw(tvm.port, what)).json['message'];
}

type World = { readonly desk: Desk; readonly tvm: RunningTvm };

/** An embedded AWS and a listening TVM for the tests of one file. */
export function useTvm(
  options: Parameters<typeof startTvm>[1] = {},
  prepare?: (desk: Desk) => Promise<void>,
): World {
  const world: { desk?: Desk; tvm?: RunningTvm } = {};
  beforeAll(async () => {
    world.desk = await startDesk();
    await prepare?.(world.desk);
    world.tvm = await startTvm(world.desk.url, options);
  });
  afterAll(async () => {
    await world.tvm?.close();
    await world.desk?.close();
  });
  return world as World;
}
