package retry

// The figures of [AWSBudget].
const (
	awsCapacity    = 500
	awsRetry       = 5
	awsTimeout     = 10
	awsFirstTryWin = 1
)

// AWSBudget returns a Budget with the rules of the retry quota of the AWS SDKs' standard mode:
//
//   - it holds 500 at first and at most;
//   - a retry costs 5, or 10 if it follows a time-out (an error whose method Timeout() bool says true, such as
//     context.DeadlineExceeded), and goes out only if that is there. A hedge costs 5;
//   - a call that succeeds at its first attempt adds 1, and one that succeeds later gets back what its last attempt cost.
//
// So after 100 failed retries one in five calls that succeed at once earns another. When it refuses, a policy stops with
// ErrBudget, and callers that call again without a pause of their own are a hot loop: the pause is theirs to make.
//
// The budget's Name in Stats is "aws". The error is always nil; it is there so that all presets are used alike.
func AWSBudget() (*Budget, error) {
	return newPreset("aws", &awsQuota{capacity: awsCapacity}), nil
}

// awsQuota is the account of [AWSBudget].
type awsQuota struct {
	deaf

	capacity int64
}

func (a *awsQuota) succeeded(price int64) {
	if price == 0 {
		price = awsFirstTryWin
	}
	a.refund(price, 0)
}

func (a *awsQuota) draw(timedOut bool, _ int64) (price int64, ok bool) {
	price = awsRetry
	if timedOut {
		price = awsTimeout
	}
	if a.capacity < price {
		return 0, false
	}
	a.capacity -= price
	return price, true
}

func (a *awsQuota) refund(price, _ int64) { a.capacity = min(a.capacity+price, awsCapacity) }

func (a *awsQuota) available(int64) float64 { return float64(a.capacity) / awsRetry }
