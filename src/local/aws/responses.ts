import { randomUUID } from 'node:crypto';

/** An HTTP answer of the embedded AWS, before it is written to a socket. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
};

/** The services of the embedded AWS, by their names in credential scopes. */
export type Service = 'sts' | 'ssm' | 'dynamodb' | 'iam' | 'sns';

/** Services with the AWS query protocol, which answer in XML. */
export type QueryService = 'sts' | 'iam' | 'sns';

/** An error of AWS: its code without namespace, its HTTP status, and a sentence. */
export type AwsError = { readonly code: string; readonly status: number; readonly message: string };

/** A tree of XML elements; undefined elements are left out. */
export type XmlTree = { readonly [element: string]: XmlValue | undefined };

/** A list is written as `member` elements. */
type XmlValue = string | number | readonly string[] | XmlTree;

const NAMESPACES: Readonly<Record<QueryService, string>> = {
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  sns: 'http://sns.amazonaws.com/doc/2010-03-31/',
};

/** Whether a service has the AWS query protocol. */
export function isQueryService(service: Service): service is QueryService {
  return Object.hasOwn(NAMESPACES, service);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/**
 * Replaces characters that XML 1.0 cannot contain by U+FFFD, because error messages repeat what the
 * caller sent.
 */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/gu, (character) => ENTITIES[character] ?? character);
}

function isList(value: XmlValue): value is readonly string[] {
  return Array.isArray(value);
}

function renderValue(value: XmlValue): string {
  if (isList(value)) return value.map((one) => `<member>${escapeXml(one)}</member>`).join('');
  return typeof value === 'object' ? renderXml(value) : escapeXml(`${value}`);
}

function renderXml(tree: XmlTree): string {
  return Object.entries(tree)
    .map(([name, value]) => (value === undefined ? '' : `<${name}>${renderValue(value)}</${name}>`))
    .join('');
}

function withRequestId(contentType: string): {
  readonly id: string;
  readonly headers: Record<string, string>;
} {
  const id = randomUUID();
  return { id, headers: { 'content-type': contentType, 'x-amzn-requestid': id } };
}

/**
 * The XML answer of an action of the AWS query protocol: `<XResponse><XResult>…`; some actions have
 * no result.
 */
export function queryAnswer(
  action: string,
  result: XmlTree | undefined,
  service: QueryService = 'sts',
): Answer {
  const { id, headers } = withRequestId('text/xml');
  const inner = renderXml({ [`${action}Result`]: result, ResponseMetadata: { RequestId: id } });
  return {
    status: 200,
    headers,
    body: `<${action}Response xmlns="${NAMESPACES[service]}">${inner}</${action}Response>`,
  };
}

/** The same answer in JSON, which STS gives to a client that accepts only `application/json`. */
export function queryJsonAnswer(action: string, result: XmlTree): Answer {
  const { id, headers } = withRequestId('application/json');
  const response = { [`${action}Result`]: result, ResponseMetadata: { RequestId: id } };
  return { status: 200, headers, body: JSON.stringify({ [`${action}Response`]: response }) };
}

/** An answer of SSM or DynamoDB (AWS JSON protocol). */
export function jsonAnswer(service: Service, body: object): Answer {
  const { headers } = withRequestId(
    service === 'dynamodb' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1',
  );
  return { status: 200, headers, body: JSON.stringify(body) };
}

/**
 * An error in the form of the service's protocol; `asJson` is for STS clients that accept only
 * JSON.
 */
export function errorAnswer(service: Service, error: AwsError, asJson = false): Answer {
  const { code, status, message } = error;
  if (!isQueryService(service)) {
    const answer = jsonAnswer(service, {
      __type: service === 'dynamodb' ? `com.amazon.coral.service#${code}` : code,
      message,
    });
    return { ...answer, status, headers: { ...answer.headers, 'x-amzn-errortype': code } };
  }
  const type = status < 500 ? 'Sender' : 'Receiver';
  const { id, headers } = withRequestId(asJson ? 'application/json' : 'text/xml');
  if (asJson) {
    return {
      status,
      headers,
      body: JSON.stringify({ Error: { Code: code, Message: message, Type: type }, RequestId: id }),
    };
  }
  const inner = renderXml({ Error: { Type: type, Code: code, Message: message }, RequestId: id });
  return {
    status,
    headers,
    body: `<ErrorResponse xmlns="${NAMESPACES[service]}">${inner}</ErrorResponse>`,
  };
}
