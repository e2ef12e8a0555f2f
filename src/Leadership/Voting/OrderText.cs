using Mirror.Leadership.Core;
using Mirror.Node.Wire;

namespace Mirror.Leadership.Voting;

/// <summary>Operators' words on the wire. Who said it and why are for people: cut to what fits a line.</summary>
internal static class OrderText
{
    public const int LongestName = 100;
    public const int LongestReason = 500;

    public static FailoverOrderMessage ToWire(FailoverOrder order) => new()
    {
        Number = order.Number, Paused = order.Paused, Acknowledged = order.Acknowledged, By = Cut(order.By, LongestName), Reason = Cut(order.Reason, LongestReason),
    };

    public static FailoverOrder? FromWire(FailoverOrderMessage? order) =>
        order is null ? null : new(order.Number, order.Paused, order.Acknowledged, Cut(order.By, LongestName), Cut(order.Reason, LongestReason));

    public static string Cut(string text, int longest) => text.Length <= longest ? text : text[..longest];
}
