import { join } from 'node:path';
import type { Certificates } from './certificates.ts';

/** One cache of a POP: all of the POP's addresses, or one of them where they are separate. */
export interface EdgeCache {
  /** The POP's name, with `/<ip>` behind it where the POP's addresses are separate caches. */
  readonly name: string;
  readonly pop: string;
  readonly addresses: readonly string[];
}

/** `cache`: an origin behind caches that start cold. `static`: no origin, every answer says Hit. */
export type EdgeKind = 'cache' | 'static';

export interface NginxLayout {
  readonly dir: string;
  readonly host: string;
  readonly caches: readonly EdgeCache[];
  readonly certificates: Certificates;
  readonly edgePort: number;
  readonly httpPort: number;
  readonly kind: EdgeKind;
  /** Store an object though its reader went away, as nginx does of itself. */
  readonly storeOnAbort: boolean;
  readonly workers: number;
  /** Bytes a second that one answer may take, in nginx's form (`1500k`); '0': as many as it can. */
  readonly limitRate: string;
  readonly log: boolean;
}

const LOG_FIELDS = ['msec', 'request_time', 'server_addr', 'request_method', 'request_uri', 'http_range', 'http_user_agent'];

const logFormat = (name: string, more: Record<string, string>) => {
  const fields = [...LOG_FIELDS.map((field) => [field, `$${field}`] as const), ...Object.entries(more)];
  return `  log_format ${name} escape=json '{${fields.map(([key, value]) => `"${key}":"${value}"`).join(',')}}';\n`;
};

const OUTCOME = {
  status: '$status',
  body_bytes_sent: '$body_bytes_sent',
  completion: '$request_completion',
  cache_status: '$upstream_cache_status',
};

// After the delivery a further location runs (see `passAndFill`), so what the delivery came to is kept in variables there.
const KEPT_OUTCOME = {
  status: '$kept_status',
  body_bytes_sent: '$kept_bytes',
  completion: '$kept_completion',
  cache_status: '$kept_cache',
};

/**
 * In every mode a Range or HEAD for a stored object is answered from the cache, and for another is passed on as it is and
 * stored nowhere: nginx would otherwise drop the Range, fetch the whole object and store it.
 */
const LOOK_UP = `
      proxy_cache_key $host$request_uri;
      proxy_cache_convert_head off;
      proxy_cache_valid 200 1d;
      proxy_set_header Connection "";
      proxy_set_header Range $http_range;`;

const STORE = `${LOOK_UP}
      proxy_no_cache $partial;
      proxy_cache_lock on;
      proxy_pass http://origin;`;

/**
 * nginx goes on fetching and stores an object whose reader went away, whatever `proxy_ignore_client_abort` says. So here a
 * delivery stores nothing; after one that was a whole GET, a 2xx, and read to its end, nginx asks itself for the object,
 * and that fetch is what is stored.
 */
const passAndFill = (zone: string) => `
    location / {${LOOK_UP}
      proxy_cache ${zone};
      proxy_no_cache 1;
      proxy_pass http://origin;
      post_action @after;
    }
    location @after {
      set $kept_status $status;
      set $kept_bytes $body_bytes_sent;
      set $kept_completion $request_completion;
      set $kept_cache $upstream_cache_status;
      if ($fills = 0) { return 204; }
      proxy_set_header X-Zone ${zone};
      proxy_set_header Host $host;
      proxy_pass http://fill;
    }`;

const cachedLocation = (zone: string) => `
    location / {${STORE}
      proxy_cache ${zone};
    }`;

const staticLocation = (dir: string) => `
    location / { root ${join(dir, 'www')}; }`;

function edgeServer(layout: NginxLayout, cache: EdgeCache, index: number): string {
  const { dir, kind, storeOnAbort, edgePort, httpPort } = layout;
  const strict = kind === 'cache' && !storeOnAbort;
  // A small send buffer: what a reader that went away had not taken must not look delivered.
  const socket = strict ? 'backlog=4096 sndbuf=64k' : 'backlog=4096';
  const listens = cache.addresses.map((ip) => `    listen ${ip}:${edgePort} ssl ${socket};\n    listen ${ip}:${httpPort} ${socket};\n`);
  const zone = `zone${index}`;
  const location = kind === 'static' ? staticLocation(dir) : storeOnAbort ? cachedLocation(zone) : passAndFill(zone);
  return `  server {
${listens.join('')}    server_name ${layout.host};
    access_log ${layout.log ? `${join(dir, 'logs', `edge-${index}.log`)} edge` : 'off'};
    add_header x-amz-cf-pop ${cache.pop} always;
    add_header x-cache $x_cache always;${location}
  }
`;
}

const originServers = ({ dir, log, host }: NginxLayout) => `
  upstream origin { server unix:${join(dir, 'origin.sock')}; keepalive 64; }
  upstream fill { server unix:${join(dir, 'fill.sock')}; }
  server {
    listen unix:${join(dir, 'origin.sock')} backlog=4096;
    server_name ${host};
    root ${join(dir, 'www')};
    access_log ${log ? `${join(dir, 'logs', 'origin.log')} origin` : 'off'};
    add_header cache-control "public, max-age=86400";
  }
  server {
    listen unix:${join(dir, 'fill.sock')} backlog=4096;
    server_name ${host};
    access_log off;
    location / {${STORE}
      proxy_cache $http_x_zone;
    }
  }
`;

function head(layout: NginxLayout): string {
  const { dir, workers, certificates, kind, storeOnAbort, limitRate } = layout;
  const root = process.getuid?.() === 0 ? 'user root;\n' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${join(dir, 'temp', name)};\n`);
  const kept = kind === 'cache' && !storeOnAbort;
  return `${root}daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${join(dir, 'nginx.pid')};
error_log ${join(dir, 'logs', 'error.log')} warn;
events { worker_connections 8000; }
http {
${temporary.join('')}${logFormat('edge', kept ? KEPT_OUTCOME : OUTCOME)}${logFormat('origin', OUTCOME)}
  map $request_method:$http_range $partial { default 1; "GET:" 0; }
  map $request_method:$http_range:$request_completion:$upstream_cache_status:$status $fills { default 0; "~^GET::OK:MISS:2" 1; }
  map $upstream_cache_status $cache_word { default "Miss"; HIT "Hit"; REVALIDATED "RefreshHit"; ${kind === 'static' ? '"" "Hit";' : ''} }
  map $status $x_cache { default "$cache_word from cloudfront"; "~^[45]" "Error from cloudfront"; }
  sendfile on;
  limit_rate ${limitRate};
  tcp_nopush on;
  default_type application/octet-stream;
  server_tokens off;
  etag on;
  open_file_cache max=5000 inactive=600s;
  open_file_cache_valid 600s;
  keepalive_timeout 75s;
  keepalive_requests 10000000;
  ssl_certificate ${certificates.certFile};
  ssl_certificate_key ${certificates.keyFile};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:edge:4m;
  ssl_buffer_size 16k;
  proxy_http_version 1.1;
  proxy_buffers 8 16k;
  proxy_busy_buffers_size 32k;
`;
}

/** The whole configuration: edge servers on their addresses, the origin and the filling server on unix sockets. */
export function nginxConfig(layout: NginxLayout): string {
  const zones = layout.caches.map(
    (_, index) =>
      `  proxy_cache_path ${join(layout.dir, 'cache', String(index))} levels=1:2 keys_zone=zone${index}:2m inactive=1d use_temp_path=off;\n`,
  );
  const cached = layout.kind === 'cache' ? `${zones.join('')}${originServers(layout)}` : '';
  return `${head(layout)}${cached}${layout.caches.map((cache, index) => edgeServer(layout, cache, index)).join('')}}\n`;
}
