import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrace } from '../../src/telemetry/trace.ts';
import { call, get } from '../http/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${ID}-00f067aa0ba902b7-01`;
const ROOT = '1-5759e988-bd862e3fe1be46a994272793';

describe('readTrace', () => {
  it.each([
    ['W3C', ['traceparent', PARENT], { trace_id: ID }],
    [
      'a later version with more',
      ['Traceparent', `01-${ID}-00f067aa0ba902b7-01-more`],
      { trace_id: ID },
    ],
    ['X-Ray', ['X-Amzn-Trace-Id', `Root=${ROOT}`], { xray_trace_id: ROOT }],
    [
      'what an ALB makes',
      ['x-amzn-trace-id', `Self=1-67891234-12456789abcdef012345678;Root=${ROOT};Sampled=1`],
      { xray_trace_id: ROOT },
    ],
    [
      'both',
      ['traceparent', PARENT, 'x-amzn-trace-id', `Root=${ROOT}`],
      { trace_id: ID, xray_trace_id: ROOT },
    ],
    ['none', ['host', PARENT], {}],
    ['version ff', ['traceparent', `ff${PARENT.slice(2)}`], {}],
    ['version 00 with more', ['traceparent', `${PARENT}-more`], {}],
    ['capitals', ['traceparent', PARENT.toUpperCase()], {}],
    ['zeros', ['traceparent', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`], {}],
    ['a parent of zeros', ['traceparent', `00-${ID}-${'0'.repeat(16)}-01`], {}],
    ['two of them', ['traceparent', PARENT, 'traceparent', PARENT], {}],
    ['a root of something else', ['x-amzn-trace-id', `XRoot=${ROOT}`], {}],
    ['a root with more', ['x-amzn-trace-id', `Root=${ROOT}0`], {}],
  ])('reads %s', (_, headers, expected) => {
    expect(readTrace('r', headers)).toEqual({ http_request_id: 'r', ...expected });
  });

  it('gives well-formed ids only, whatever was sent', () => {
    const header = fc.tuple(
      fc.constantFrom('traceparent', 'x-amzn-trace-id'),
      fc.string({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(fc.array(header, { maxLength: 4 }), (headers) => {
        const { trace_id, xray_trace_id } = readTrace('r', headers.flat());
        expect(trace_id ?? ID).toMatch(/^[0-9a-f]{32}$/u);
        expect(xray_trace_id ?? ROOT).toMatch(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/u);
      }),
    );
  });
});

describe('the lines about a request', () => {
  let desk: Desk;
  let tvm: RunningTvm;
  beforeAll(async () => {
    desk = await startDesk();
    tvm = await startTvm(desk.url);
  });
  afterAll(async () => {
    await tvm.close();
    await desk.close();
  });

  it('have its own trace in the audit log, among many requests at once', async () => {
    const ids = Array.from({ length: 20 }, () => randomBytes(16).toString('hex'));
    const answers = await Promise.all(
      ids.map((id) =>
        get(tvm, { profile: 'dev' }, { headers: { traceparent: `00-${id}-00f067aa0ba902b7-01` } }),
      ),
    );
    for (const [index, { headers }] of answers.entries()) {
      const record = tvm.audit.find(({ http_request_id: id }) => id === headers['x-request-id']);
      expect(record).toMatchObject({ outcome: 'vended', trace_id: ids[index] });
    }
  });

  it('have its trace in a refusal of identity, and in the log of a fault of AWS', async () => {
    await call(tvm, {
      path: '/whoami',
      headers: { 'x-amzn-trace-id': `Root=${ROOT}`, authorization: 'none' },
    });
    expect(tvm.audit.at(-1)).toMatchObject({ event: 'identity_refused', xray_trace_id: ROOT });
    await desk.put(
      '/sentinel/profiles/nowhere',
      'role_arn: arn:aws:iam::000000000000:role/not-there\n',
    );
    await desk.put(
      '/sentinel/policies/nowhere',
      "version: '1'\nrules:\n  - {name: all, effect: allow, conditions: {users: [alice]}, reason: test}\n",
    );
    const later = await startTvm(desk.url);
    const broken = await get(later, { profile: 'nowhere' }, { headers: { traceparent: PARENT } });
    await later.close();
    expect(broken.status).toBe(500);
    expect(later.audit.at(-1)).toMatchObject({ event: 'vend', trace_id: ID });
    const line = later
      .log()
      .split('\n')
      .find((one) => one.includes('AssumeRole failed'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      trace_id: ID,
      http_request_id: broken.headers['x-request-id'],
    });
  });

  it('have no trace if the request names none', async () => {
    await get(tvm, { profile: 'dev' });
    expect(Object.keys(tvm.audit.at(-1) ?? {})).not.toContain('trace_id');
  });
});
