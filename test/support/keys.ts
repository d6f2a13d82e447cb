import { randomUUID } from 'node:crypto';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { sendRaw, type RawAnswer } from './raw-http.ts';
import { sign, type Signing } from './sign.ts';
import type { RunningTvm } from './tvm.ts';

/** A minted key, as its client has it. */
export type Minted = {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly token: string;
};

/**
 * Signs a request with a minted key, with changes if there are any, and sends it; each has a nonce
 * of its own.
 */
export function sendAs(
  tvm: Pick<RunningTvm, 'host' | 'port'>,
  { accessKeyId, secret, token }: Minted,
  change: Partial<Signing> = {},
): Promise<RawAnswer> {
  const { method = 'GET', path = '/', query = '', body } = change;
  const headers = {
    'x-sentinel-nonce': randomUUID(),
    'x-amz-security-token': token,
    ...change.headers,
  };
  const signed = sign({ host: tvm.host, accessKeyId, secret, ...change, headers });
  return sendRaw(tvm.port, {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: signed.headers,
    ...(body === undefined ? {} : { body }),
  });
}

/** Sends `POST /keys`, signed by alice or by another key. */
export function postKeys(
  tvm: Pick<RunningTvm, 'host' | 'port'>,
  body: string = '{}',
  as: { readonly accessKeyId: string; readonly secret: string } = DEMO_CLIENTS.alice,
  more: Readonly<Record<string, string>> = {},
): Promise<RawAnswer> {
  const headers = { 'x-sentinel-nonce': randomUUID(), 'content-type': 'application/json', ...more };
  const { accessKeyId, secret } = as;
  const signed = sign({
    host: tvm.host,
    method: 'POST',
    path: '/keys',
    accessKeyId,
    secret,
    headers,
    body,
  });
  return sendRaw(tvm.port, { method: 'POST', target: '/keys', headers: signed.headers, body });
}

/** The key in a good answer of `POST /keys`; throws for any other answer. */
export function keyOf({ status, json, body }: RawAnswer): Minted {
  const { AccessKeyId, SecretAccessKey, SessionToken } = json;
  if (status !== 200) throw new Error(`no key: ${status} ${body}`);
  return {
    accessKeyId: String(AccessKeyId),
    secret: String(SecretAccessKey),
    token: String(SessionToken),
  };
}
