import { expect, it } from 'vitest';
import { amzDateOf, sign } from '../support/sign.ts';
import type { RunningTvm } from '../support/tvm.ts';
import { fire, newNonce, refused, shot, useTvm, VENDED, type Shot } from './support.ts';

const INVALID = refused(400, 'ValidationError');

const world = useTvm();

/**
 * A request presigned as AWS does it: everything in the query, only Host signed, and the signature
 * right.
 */
function presigned(tvm: RunningTvm, expires: string, payloadHash?: string): Shot {
  const amzDate = amzDateOf(Date.now());
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=TVMDEMOALICE%2F${amzDate.slice(0, 8)}%2Fus-east-1%2Fexecute-api%2Faws4_request`,
    `X-Amz-Date=${amzDate}`,
    `X-Amz-Expires=${encodeURIComponent(expires)}`,
    'X-Amz-SignedHeaders=host',
    `device_id=${newNonce()}`,
    'profile=dev',
  ].join('&');
  const { signature } = sign({
    host: tvm.host,
    amzDate,
    query,
    signedHeaders: 'host',
    ...(payloadHash === undefined ? {} : { payloadHash }),
  });
  return {
    method: 'GET',
    target: `/?${query}&X-Amz-Signature=${signature}`,
    headers: [['host', tvm.host]],
  };
}

it('03 refuses presigned requests', async () => {
  const { tvm } = world;
  expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
  expect(await fire(tvm, presigned(tvm, '60'))).toEqual(INVALID);
  expect(await fire(tvm, presigned(tvm, '60', 'UNSIGNED-PAYLOAD'))).toEqual(INVALID);
});

it.each(['X-Amz-Signature', 'x-amz-credential', 'X-AMZ-SECURITY-TOKEN', 'X%2DAmz%2DSignature'])(
  '03 refuses %s in the query alone',
  async (name) => {
    const { tvm } = world;
    const bare: Shot = {
      method: 'GET',
      target: `/?profile=dev&${name}=x`,
      headers: [['host', tvm.host]],
    };
    expect(await fire(tvm, bare)).toEqual(INVALID);
  },
);

it.each(['0', '-1', '604801', '0x384', '1e3', '900abc', '', '1', '604800', ' 60', '60.5'])(
  '40 refuses a presigned request with X-Amz-Expires=%s',
  async (expires) => {
    const { tvm } = world;
    expect(await fire(tvm, presigned(tvm, expires))).toEqual(INVALID);
  },
);
