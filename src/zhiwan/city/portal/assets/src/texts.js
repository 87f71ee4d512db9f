// The few sentences that scripts write themselves, in the language of the page.

const TEXTS = {
  "zh-hans": {
    seconds: "{n} 秒前", minutes: "{n} 分钟前", hours: "{n} 小时前", days: "{n} 天前", now: "刚刚", ahead: "时间超前",
    live: "实时", waiting: "正在连接", lost: "实时中断，数字可能已旧", trouble: "异常：{parts}", comma: "、", confirm: "确定", cancel: "取消",
    failed: "没有取到内容：{status}。请稍后再试。", sites: "{n} 处", alarm: "告警",
    basemap: "底图取不到：请检查地图服务地址。",
    idle: "很久没有操作，一分钟内将自动退出。", stay: "继续使用",
    sound: "红色告警响铃", soundWaits: "点一下页面后才会响", soundNone: "此浏览器不能发声",
  },
  en: {
    seconds: "{n} s ago", minutes: "{n} min ago", hours: "{n} h ago", days: "{n} d ago", now: "just now", ahead: "clock ahead",
    live: "live", waiting: "connecting", lost: "stream lost, figures may be old", trouble: "not well: {parts}", comma: ", ", confirm: "Confirm", cancel: "Cancel",
    failed: "The content could not be fetched: {status}. Try again later.", sites: "{n} sites", alarm: "alarm",
    basemap: "The base map cannot be fetched: check the address of the map service.",
    idle: "Nothing was done here for a long time: you will be signed out within a minute.", stay: "Stay",
    sound: "Sound on red alarms", soundWaits: "click the page once to hear it", soundNone: "this browser has no sound",
  },
};

// The parts of the platform, as 运行状态 calls them.
const PARTS = {
  "zh-hans": {
    web: "网页", database: "数据库", bus: "消息总线", live: "实时推送", worker: "数据流处理", door: "设备接入", jobs: "后台任务",
    disk: "磁盘", packs: "应用场景", hj212: "HJ 212 接入", simulator: "演示数据", audit: "审计",
  },
  en: {
    web: "web", database: "database", bus: "bus", live: "live stream", worker: "worker", door: "device door", jobs: "jobs",
    disk: "disk", packs: "packs", hj212: "HJ 212", simulator: "simulator", audit: "audit",
  },
};

export const language = document.documentElement.lang.toLowerCase().startsWith("en") ? "en" : "zh-hans";

export function text(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const partName = (id) => PARTS[language][id] ?? id;

// A text that came with both languages.
export const inLanguage = ({ zh, en }) => (language === "en" ? en || zh : zh);
