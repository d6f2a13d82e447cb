import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { DescribeTimeToLiveCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterEach, describe, expect, it } from 'vitest';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';
import { seed } from '../../src/local/seed.ts';
import { bareEnvironment, lacksMoto, sdk, startAws } from './support.ts';

const region = 'us-east-1';
let aws: EmbeddedAws | undefined;
let moto: ChildProcess | undefined;
afterEach(async () => {
  await aws?.close();
  moto?.kill();
  aws = moto = undefined;
});

async function seeded(endpoint: string, more: object = {}): Promise<readonly string[]> {
  const lines: string[] = [];
  await seed({ endpoint, region, report: (line) => lines.push(line), ...more });
  return lines;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const OPERATORS = '/sentinel/operators';

describe('seed', () => {
  it('makes everything once, keeps what differs, and reports each', async () => {
    aws = await startAws();
    const first = await seeded(aws.url);
    expect(first).toContain('made table sentinel-sessions');
    expect(first).toContain('made parameter /sentinel-secrets/clients/TVMDEMOALICE');
    expect(first).toHaveLength(21);
    const second = await seeded(aws.url);
    expect(second).toEqual(first.map((line) => line.replace('made', 'found')));

    const ssm = new SSMClient(sdk(aws));
    await ssm.send(new PutParameterCommand({ Name: OPERATORS, Value: 'mine', Overwrite: true }));
    const third = await seeded(aws.url);
    expect(third).toContain(
      `found parameter ${OPERATORS}, which differs from the demo's and is kept`,
    );
    expect((await ssm.send(new GetParameterCommand({ Name: OPERATORS }))).Parameter?.Value).toBe(
      'mine',
    );

    const dynamodb = new DynamoDBClient(sdk(aws));
    const ttl = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName: 'sentinel-guard' }));
    expect(ttl.TimeToLiveDescription).toEqual({
      TimeToLiveStatus: 'ENABLED',
      AttributeName: 'ttl',
    });
  });

  it('uses other roots if given', async () => {
    aws = await startAws();
    const lines = await seeded(aws.url, { root: '/other/', secretsRoot: '/hidden' });
    expect(lines).toContain('made parameter /other/policies/dev');
    expect(lines).toContain('made parameter /hidden/clients/TVMDEMOBOB');
  });

  it('waits for an AWS that is still starting', async () => {
    const port = await freePort();
    const waiting = seeded(`http://127.0.0.1:${port}`);
    aws = await new Promise((settle) => setTimeout(() => settle(startEmbeddedAws({ port })), 700));
    expect(await waiting).toHaveLength(21);
  });

  it('gives up with a sentence if nothing answers', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    await expect(seeded(endpoint, { patience: 0 })).rejects.toThrow(
      `No AWS answers at ${endpoint}`,
    );
  });

  it('does not retry once AWS has refused', async () => {
    aws = await startAws();
    const credentials = { accessKeyId: 'AKIAUNKNOWN00000', secretAccessKey: 'x' };
    await expect(seeded(aws.url, { credentials })).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
  });

  it.each(['https://sts.us-east-1.amazonaws.com', 'http://10.0.0.1:4566', 'nonsense'])(
    'refuses %s, which is not local',
    async (endpoint) => {
      await expect(seeded(endpoint)).rejects.toThrow('local AWS only');
    },
  );

  it.skipIf(lacksMoto())('works against moto, twice', { timeout: 60_000 }, async () => {
    const port = await freePort();
    moto = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', `${port}`], {
      stdio: 'ignore',
      env: bareEnvironment(),
    });
    const endpoint = `http://127.0.0.1:${port}`;
    const first = await seeded(endpoint);
    expect(first).toHaveLength(21);
    expect(await seeded(endpoint)).toEqual(first.map((line) => line.replace('made', 'found')));
    const ssm = new SSMClient(sdk({ url: endpoint }));
    const { Parameter } = await ssm.send(
      new GetParameterCommand({ Name: '/sentinel/profiles/dev' }),
    );
    expect(Parameter?.Value).toContain('arn:aws:iam::123456789012:role/SentinelProtected-dev');
  });
});
