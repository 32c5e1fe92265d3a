/** undici's own client module: the package's index would load fetch, WebSocket, caches and more, 14 MB of every agent's memory. */
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}
