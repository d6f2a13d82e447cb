import { expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { add, fire, refused, shot, useTvm, VENDED } from './support.ts';

const INVALID_TOKEN = refused(403, 'InvalidClientTokenId');

const SECRET = 'attacks-test-not-a-secret';

const world = useTvm({}, async (desk) => {
  const clients = {
    TVMGOOD: {},
    TVMDISABLED: { disabled: true },
    TVMEXPIRED: { expires_at: '2020-01-02T03:04:05Z' },
    TVMFUTURE: { expires_at: '2999-01-02T03:04:05Z' },
  };
  for (const [id, more] of Object.entries(clients)) {
    const document = JSON.stringify({ secret: SECRET, name: 'alice', ...more });
    await desk.put(`/sentinel-secrets/clients/${id}`, document, 'SecureString');
  }
});

function signedBy(accessKeyId: string) {
  return shot(world.tvm, { accessKeyId, secret: SECRET });
}

it.each(['TVMGOOD', 'TVMFUTURE'])('38 vends to the key %s', async (id) => {
  expect(await fire(world.tvm, signedBy(id))).toEqual(VENDED);
});

it.each(['TVMUNKNOWN', 'TVMDISABLED', 'TVMEXPIRED'])('38 refuses the key %s', async (id) => {
  expect(await fire(world.tvm, signedBy(id))).toEqual(INVALID_TOKEN);
});

it('38 answers unknown, disabled and expired keys with the same bytes but for id and date', async () => {
  const answers = [];
  for (const id of ['TVMUNKNOWN', 'TVMDISABLED', 'TVMEXPIRED']) {
    const { status, headers, body } = await sendRaw(world.tvm.port, signedBy(id));
    const { 'x-request-id': _, date, ...rest } = headers;
    answers.push(JSON.stringify({ status, rest, body, dated: date !== undefined }));
  }
  expect(new Set(answers).size).toBe(1);
});

it('38 gives a wrong secret the same refusal for unknown, disabled and expired keys', async () => {
  for (const accessKeyId of ['TVMUNKNOWN', 'TVMDISABLED', 'TVMEXPIRED']) {
    expect(await fire(world.tvm, shot(world.tvm, { accessKeyId, secret: 'wrong' }))).toEqual(
      INVALID_TOKEN,
    );
  }
  expect(
    await fire(world.tvm, shot(world.tvm, { accessKeyId: 'TVMGOOD', secret: 'wrong' })),
  ).toEqual(refused(403, 'SignatureDoesNotMatch'));
});

it('38 refuses the secret that stands in for those of unknown keys', async () => {
  const secret = 'no key of this server has this secret';
  for (const accessKeyId of ['TVMUNKNOWN', 'TVMDISABLED', 'TVMEXPIRED']) {
    expect(await fire(world.tvm, shot(world.tvm, { accessKeyId, secret }))).toEqual(INVALID_TOKEN);
  }
});

it('38 records the refusal with the claimed access key id', async () => {
  const { tvm } = world;
  await fire(tvm, signedBy('TVMDISABLED'));
  expect(tvm.audit.at(-1)).toMatchObject({
    event: 'identity_refused',
    error: 'InvalidClientTokenId',
    claimed_access_key_id: 'TVMDISABLED',
  });
  expect(JSON.stringify(tvm.audit) + tvm.log()).not.toContain(SECRET);
});

it('39 refuses a registered key with a security token', async () => {
  const { tvm } = world;
  const token = { headers: { 'x-amz-security-token': 'IQoJb3JpZ2luX2VjEXAMPLE' } };
  expect(await fire(tvm, shot(tvm))).toEqual(VENDED);
  expect(await fire(tvm, shot(tvm, token))).toEqual(INVALID_TOKEN);
  expect(await fire(tvm, shot(tvm, { headers: { 'x-amz-security-token': '' } }))).toEqual(
    INVALID_TOKEN,
  );
  expect(await fire(tvm, shot(tvm, { ...token, accessKeyId: 'TVMUNKNOWN' }))).toEqual(
    INVALID_TOKEN,
  );
  expect(await fire(tvm, add(shot(tvm), 'x-amz-security-token', 'x'))).toEqual(
    refused(403, 'AccessDenied'),
  );
});

it('39 refuses an access key of AWS', async () => {
  const { tvm } = world;
  const keys = { accessKeyId: 'AKIADEMOTVM00000', secret: 'demo-tvm-not-a-secret' };
  expect(await fire(tvm, shot(tvm, keys))).toEqual(INVALID_TOKEN);
});
