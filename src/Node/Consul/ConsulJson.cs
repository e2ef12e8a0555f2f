using System.Text.Json.Serialization;

namespace Mirror.Node.Consul;

// The shapes of the HTTP API, as far as they are used. What Consul says besides is passed over: it says more with every version.
internal sealed record TxnOperation(TxnKey KV);

internal sealed record TxnKey(string Verb, string Key, byte[]? Value, ulong? Index, string? Session);

internal sealed record TxnAnswer(IReadOnlyList<TxnResult>? Results, IReadOnlyList<TxnError>? Errors);

internal sealed record TxnResult(KeyAnswer? KV);

internal sealed record TxnError(int OpIndex, string? What);

internal sealed record KeyAnswer(string? Key, byte[]? Value, string? Session, ulong LockIndex, ulong ModifyIndex);

internal sealed record SessionRequest(
    string Name, string TTL, string LockDelay, string Behavior, IReadOnlyList<string> NodeChecks, IReadOnlyList<ServiceCheckRequest> ServiceChecks);

internal sealed record ServiceCheckRequest(string ID);

internal sealed record SessionAnswer(string? ID);

internal sealed record ServiceRequest(
    string ID, string Name, IReadOnlyList<string> Tags, string Address, int Port, IReadOnlyDictionary<string, string> Meta, CheckRequest Check);

internal sealed record CheckRequest(string CheckID, string Name, string TTL, string Status, string DeregisterCriticalServiceAfter);

internal sealed record CheckReport(string Status, string Output);

internal sealed record HealthAnswer(NodeAnswer? Node, ServiceAnswer? Service, IReadOnlyList<CheckAnswer>? Checks);

internal sealed record NodeAnswer(string? Node, string? Address);

internal sealed record ServiceAnswer(string? ID, string? Service, IReadOnlyList<string>? Tags, string? Address, int Port, Dictionary<string, string>? Meta);

internal sealed record CheckAnswer(string? CheckID, string? Status);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TxnOperation[]))]
[JsonSerializable(typeof(TxnAnswer))]
[JsonSerializable(typeof(KeyAnswer[]))]
[JsonSerializable(typeof(SessionRequest))]
[JsonSerializable(typeof(SessionAnswer))]
[JsonSerializable(typeof(ServiceRequest))]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(HealthAnswer[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class ConsulJson : JsonSerializerContext;
