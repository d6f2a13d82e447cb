import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../support/processes.ts';
import { get } from '../http/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/**
 * The files under docker/ use metrics that the server has, in forms that Prometheus and Grafana
 * accept.
 */
function read(path: string): string {
  return readFileSync(join(ROOT, 'docker', path), 'utf8');
}

let desk: Desk;
let tvm: RunningTvm;
let scraped = '';

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url);
  await get(tvm, { profile: 'dev' });
  const server = tvm.metricsServer;
  if (server === undefined) throw new Error('no metrics');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scraped = await (
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`)
  ).text();
});
afterAll(async () => {
  tvm.metricsServer?.close();
  await tvm.close();
  await desk.close();
});

/** The names of all series in a scrape. */
function series(): ReadonlySet<string> {
  return new Set(
    scraped
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/[{ ]/u, 1)[0] ?? ''),
  );
}

/** The metrics that an expression uses. */
function metricsOf(expression: string): readonly string[] {
  return [...expression.matchAll(/\b(?:sentinel|process|nodejs)_\w+/gu)].map(([name]) => name);
}

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Record<string, string>;
};

function rules(): readonly Rule[] {
  return (parse(read('prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );
}

type Panel = {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: Readonly<Record<'h' | 'w' | 'x' | 'y', number>>;
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
};

const dashboard = JSON.parse(read('grafana/dashboards/sentinel-tvm.json')) as {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
};

function promtool(args: readonly string[], input?: string) {
  return spawnSync('promtool', args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
}

function lacksPromtool(): boolean {
  const isLacking = promtool(['--version']).error !== undefined;
  if (isLacking)
    process.stderr.write('skipped: there is no promtool on this machine (Debian: prometheus)\n');
  return isLacking;
}

describe('the alert rules', () => {
  it('use series that the server has', () => {
    const unknown = rules().flatMap(({ expr }) =>
      metricsOf(expr).filter((name) => !series().has(name)),
    );
    expect(rules().length).toBeGreaterThan(5);
    expect(unknown).toEqual([]);
  });

  it('each say what has happened and where to look', () => {
    for (const { alert, annotations } of rules()) {
      expect(annotations['summary'], alert).toMatch(/^.{10,}$/u);
      expect(annotations['description'], alert).toMatch(/^.{20,}\.$/u);
    }
  });
});

describe('the dashboard', () => {
  it('uses series that the server has', () => {
    const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(15);
    expect(expressions.flatMap(metricsOf).filter((name) => !series().has(name))).toEqual([]);
  });

  it('has panels of Grafana’s types, within its 24 columns and without overlaps', () => {
    const taken = new Set<string>();
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, type, gridPos, targets } of dashboard.panels) {
      expect(['timeseries', 'stat'], title).toContain(type);
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
      }
    }
  });

  it('is loaded by the provisioning beside it, with the data source that it names', () => {
    const provider = parse(read('grafana/provisioning/dashboards/sentinel.yml')) as {
      providers: { options: { path: string } }[];
    };
    const compose = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
    expect(compose).toContain(
      `./docker/grafana/dashboards:${provider.providers[0]?.options.path ?? 'nowhere'}:ro`,
    );
    const source = parse(read('grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: { uid: string }[];
    };
    expect(read('grafana/dashboards/sentinel-tvm.json')).toContain(
      `"uid": "${source.datasources[0]?.uid ?? ''}"`,
    );
  });
});

describe.skipIf(lacksPromtool())('promtool', () => {
  it('accepts the alert rules', () => {
    const { status, stdout, stderr } = promtool([
      'check',
      'rules',
      join(ROOT, 'docker/prometheus/alerts.yml'),
    ]);
    expect(status, stdout + stderr).toBe(0);
  });

  it('accepts the configuration, except for the place of the rules', () => {
    const path = join(ROOT, 'docker/prometheus/prometheus.yml');
    const { status, stdout, stderr } = promtool(['check', 'config', '--syntax-only', path]);
    expect(status, stdout + stderr).toBe(0);
  });

  it('accepts a scrape', () => {
    const { status, stdout, stderr } = promtool(['check', 'metrics'], scraped);
    expect(stdout + stderr).toBe('');
    expect(status).toBe(0);
  });
});
