import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { LEASE } from '../../src/notify/source.ts';
import { approveBy, askBy, idOf } from '../support/approvals.ts';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, post } from './support.ts';

type Received = { readonly headers: Readonly<Record<string, unknown>>; readonly body: string };

let desk: Desk;
let tvm: RunningTvm;
let close: () => void;
const received: Received[] = [];

/** Answers 500 to so many events first. */
let failures = 0;

beforeAll(async () => {
  desk = await startDesk();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      failures -= 1;
      if (failures < 0)
        received.push({ headers: incoming.headers, body: Buffer.concat(chunks).toString() });
      outgoing.writeHead(failures < 0 ? 204 : 500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => server.close();
  const { port } = server.address() as AddressInfo;
  tvm = await startTvm(desk.url, {
    environment: { SENTINEL_WEBHOOK_URL: `http://127.0.0.1:${port}/events` },
  });
});

afterAll(async () => {
  await tvm.close();
  close();
  await desk.close();
});

/** The key of events that the seed has drawn. */
async function readKey(): Promise<Buffer> {
  const ssm = new SSMClient({ region: 'us-east-1', endpoint: desk.url });
  const command = new GetParameterCommand({
    Name: '/sentinel-secrets/webhook',
    WithDecryption: true,
  });
  const { Parameter } = await ssm.send(command);
  ssm.destroy();
  const { keys } = JSON.parse(Parameter?.Value ?? '') as { keys: readonly string[] };
  return Buffer.from(keys[0] ?? '', 'base64');
}

function types(): readonly string[] {
  return received.map(({ body }) => (JSON.parse(body) as { type: string }).type);
}

describe('events of a running TVM', () => {
  it('tell of a request that a vend makes, and of a revocation, signed', async () => {
    const vend = await call(tvm, { query: 'profile=prod' });
    expect(vend.json['error'], vend.body).toBe('PolicyRequiresApproval');
    await vi.waitFor(() => expect(types()).toContain('request.created'), {
      timeout: 15_000,
      interval: 50,
    });
    const [first] = received;
    const timestamp = String(first?.headers['x-sentinel-timestamp']);
    const expected = createHmac('sha256', await readKey())
      .update(`${timestamp}.${first?.body}`)
      .digest('hex');
    expect(String(first?.headers['x-sentinel-signature'])).toBe(`v1=${expected}`);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ type: 'request.created' });
    expect(first?.body).toContain('"prod"');
  });

  it('tell of break-glass, from its opening to its end', async () => {
    const body = {
      profile: 'prod',
      reason_code: 'incident',
      justification: 'payments have failed since 14:02',
    };
    const opened = await post(tvm, body, { path: '/break-glass' });
    expect(opened.status, opened.body).toBe(201);
    const path = `/break-glass/${String(opened.json['event_id'])}/close`;
    expect((await post(tvm, { reason: 'payments work again' }, { path })).status).toBe(200);
    await vi.waitFor(
      () =>
        expect(types()).toEqual(
          expect.arrayContaining(['breakglass.invoked', 'breakglass.closed']),
        ),
      { timeout: 15_000, interval: 50 },
    );
  });

  it('arrive although the receiver fails at first', async () => {
    const before = received.length;
    failures = 1;
    const body = { kind: 'user', value: 'carol', reason: 'the laptop was stolen' };
    const revoked = await post(tvm, body, { path: '/revocations', as: 'olivia' });
    expect(revoked.status, revoked.body).toBe(201);
    await vi.waitFor(() => expect(types()).toContain('revocation.created'), {
      timeout: 25_000,
      interval: 100,
    });
    expect(received.length).toBeGreaterThan(before);
  });

  it('arrive from the successor of a process that was killed right after it approved', async () => {
    // Of its own: another instance would send them.
    const alone = await startDesk();
    const [port, receiverPort] = [await freePort(), await freePort()];
    const there = { host: `127.0.0.1:${port}`, port };
    const webhook = `http://127.0.0.1:${receiverPort}/events`;
    async function start(): Promise<Running> {
      const variables = tvmVariables(port, alone.url);
      const running = startProcess(process.execPath, ['src/main.ts'], {
        ...variables,
        SENTINEL_WEBHOOK_URL: webhook,
      });
      await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
      return running;
    }
    // Nobody receives anything while the first process lives.
    const first = await start();
    const asked = await askBy(there, DEMO_CLIENTS.alice, 'prod');
    const id = idOf(asked);
    const approved = await approveBy(there, DEMO_CLIENTS.bob, id);
    await first.stop('SIGKILL');
    expect(approved.json).toMatchObject({ status: 'approved' });
    const arrived: { readonly type: string; readonly subject: { readonly id: string } }[] = [];
    const server = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        arrived.push(JSON.parse(Buffer.concat(chunks).toString()) as (typeof arrived)[number]);
        outgoing.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(receiverPort, '127.0.0.1', resolve));
    const second = await start();
    await vi.waitFor(
      () => {
        const types = arrived.filter(({ subject }) => subject.id === id).map(({ type }) => type);
        expect(types).toContain('request.approved');
      },
      // The first process may have claimed the row: its lease lasts a minute.
      { timeout: LEASE + 30_000, interval: 100 },
    );
    await second.stop('SIGKILL');
    server.close();
    await alone.close();
  }, 180_000);
});
