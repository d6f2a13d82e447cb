import { createHash, createHmac } from 'node:crypto';

/**
 * A signer for tests. It is written from AWS's description and shares nothing with `src/`. What it
 * signs may differ from what is sent, which attacks need.
 */
export type Signing = {
  readonly method?: string;
  readonly path?: string;
  /** The canonical query to sign, as it is. */
  readonly query?: string;
  /** Headers to sign, by lower-case name. Host and X-Amz-Date are added. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Replaces the SHA-256 of the body. */
  readonly payloadHash?: string;
  readonly host: string;
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly region?: string;
  readonly service?: string;
  readonly terminator?: string;
  /** X-Amz-Date; by default now. */
  readonly amzDate?: string;
  /** The day in the credential scope; by default that of X-Amz-Date. */
  readonly scopeDate?: string;
  /** Replaces SignedHeaders; by default all headers are signed. */
  readonly signedHeaders?: string;
};

export type Signed = {
  readonly amzDate: string;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly authorization: string;
  /** All headers to send, Authorization included. */
  readonly headers: Readonly<Record<string, string>>;
};

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export function amzDateOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/gu, '');
}

/** Signs, by default with alice's demo key. */
export function sign(what: Signing): Signed {
  const amzDate = what.amzDate ?? amzDateOf(Date.now());
  const headers: Record<string, string> = {
    ...what.headers,
    host: what.host,
    'x-amz-date': amzDate,
  };
  const names = Object.keys(headers).toSorted();
  const signedHeaders = what.signedHeaders ?? names.join(';');
  const canonical = [
    what.method ?? 'GET',
    what.path ?? '/',
    what.query ?? '',
    ...signedHeaders
      .split(';')
      .map((name) => `${name}:${(headers[name] ?? '').trim().replace(/\s+/gu, ' ')}`),
    '',
    signedHeaders,
    what.payloadHash ?? sha256(what.body ?? ''),
  ].join('\n');
  const scope = [
    what.scopeDate ?? amzDate.slice(0, 8),
    what.region ?? 'us-east-1',
    what.service ?? 'execute-api',
    what.terminator ?? 'aws4_request',
  ];
  const key = scope.reduce<string | Buffer>(
    hmac,
    `AWS4${what.secret ?? 'demo-alice-not-a-secret'}`,
  );
  const text = ['AWS4-HMAC-SHA256', amzDate, scope.join('/'), sha256(canonical)].join('\n');
  const signature = hmac(key, text).toString('hex');
  const credential = `${what.accessKeyId ?? 'TVMDEMOALICE'}/${scope.join('/')}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return {
    amzDate,
    credential,
    signedHeaders,
    signature,
    authorization,
    headers: { ...headers, authorization },
  };
}
