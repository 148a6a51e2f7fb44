// A Sparkplug host application for tests. It uses the npm packages sparkplug-client and
// sparkplug-payload, and so shares no code with the station.
//
//   node host.js BROKER GROUP NODE HOST
//
// It prints a line of JSON for each message of the group, with names and types from the births.
// Lines on standard input are commands: "online" and "offline" publish its STATE, "vanish" breaks
// that connection so that the broker publishes the will, "rebirth" requests one from the node.
const [broker, group, node, host] = process.argv.slice(2)
const { newClient } = require('sparkplug-client')
const { Payload } = require('sparkplug-payload/lib/sparkplugPayloadProto').org.eclipse.tahu.protobuf
const mqtt = require(require.resolve('mqtt', { paths: [require.resolve('sparkplug-client')] }))

const say = line => process.stdout.write(JSON.stringify(line) + '\n')
const number = v => (v && v.toNumber ? v.toNumber() : v)

// Metrics of births by alias: as the specification requires, data has no names or types, and the
// package's decoder needs them.
const born = new Map()

// watcher is sparkplug-client's connection. It is an edge node itself; its public functions
// subscribe and decode.
const watcher = newClient({
  serverUrl: broker, username: '', password: '', groupId: 'observers', edgeNode: 'watcher', clientId: 'watcher',
  mqttOptions: { reconnectPeriod: 20 }
})
watcher.on('connect', () => watcher.subscribeTopic(`spBv1.0/${group}/#`, { qos: 1 }, () => say({ kind: 'watching' })))
watcher.on('close', () => say({ kind: 'lost' }))
watcher.on('error', () => {})
watcher.client.on('message', (topic, message) => {
  const [, , kind, , device] = topic.split('/')
  const raw = Payload.decode(message)
  for (const m of raw.metrics) {
    const alias = number(m.alias)
    if (kind.endsWith('BIRTH') && Object.hasOwn(m, 'alias')) born.set(alias, { name: m.name, datatype: m.datatype })
    if (kind.endsWith('DATA')) m.datatype = (born.get(alias) || {}).datatype
  }
  const payload = watcher.decodePayload(Payload.encode(raw).finish())
  // A verdict consists of the metrics from one sequence number to the next.
  const records = []
  for (const m of payload.metrics || []) {
    const name = m.name || (born.get(number(m.alias)) || {}).name || `alias ${number(m.alias)}`
    if (records.length === 0 || name in records[records.length - 1].values) {
      records.push({ historical: !!m.isHistorical, at: number(m.timestamp), values: {} })
    }
    records[records.length - 1].values[name] = number(m.value)
  }
  say({ kind, device, seq: number(payload.seq), records })
})

let state
const timestamp = () => (timestamp.last = Math.max(Date.now(), (timestamp.last || 0) + 1))
const act = {
  online () {
    const at = timestamp()
    const payload = online => JSON.stringify({ online, timestamp: at })
    const topic = `spBv1.0/STATE/${host}`
    const will = { topic, payload: payload(false), qos: 1, retain: true }
    state = mqtt.connect(broker, { clientId: 'host', reconnectPeriod: 0, will })
    state.on('error', () => {})
    state.on('connect', () => state.publish(topic, payload(true), { qos: 1, retain: true }))
  },
  offline () { // with its own time, as the specification requires of a host that leaves intentionally
    const payload = JSON.stringify({ online: false, timestamp: timestamp() })
    state.publish(`spBv1.0/STATE/${host}`, payload, { qos: 1, retain: true }, () => state.end())
  },
  vanish () { state.stream.destroy() },
  rebirth () {
    watcher.client.publish(`spBv1.0/${group}/NCMD/${node}`, Buffer.from(watcher.encodePayload({
      timestamp: Date.now(), metrics: [{ name: 'Node Control/Rebirth', type: 'Boolean', value: true }]
    })))
  }
}
require('readline').createInterface({ input: process.stdin })
  .on('line', line => act[line]())
  .on('close', () => process.exit(0))
