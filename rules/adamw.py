"""AdamW. Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
https://arxiv.org/abs/1711.05101, Algorithm 2; amsgrad: Reddi, Kale & Kumar, On the Convergence of Adam
and Beyond, ICLR 2018, https://arxiv.org/abs/1904.09237. Numbers as torch.optim.AdamW."""
from optgen import Eq, Max, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, g, m, v, v_max, m_hat, v_hat = tensors("theta g m v v_max m_hat v_hat")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 1e-2, at_least=0)
amsgrad = flag("amsgrad", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", v: "exp_avg_sq", v_max: "max_exp_avg_sq"},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(v_max[t], Max(v_max[t - 1], v[t])),
        Eq(m_hat[t], m[t] / (1 - beta1**t)),
        Eq(v_hat[t], Piecewise((v_max[t], amsgrad), (v[t], True)) / (1 - beta2**t)),
        Eq(theta[t], theta[t - 1] - lr * (m_hat[t] / (sqrt(v_hat[t]) + eps) + weight_decay * theta[t - 1])),
    ],
    signature="lr betas eps weight_decay amsgrad * maximize foreach capturable differentiable fused",
    group_constants={"decoupled_weight_decay": True},
    typical_lr={"pretraining": (1e-4, 3e-4), "full fine-tuning": (1e-5, 5e-5),
                "LoRA fine-tuning": (1e-4, 3e-4)},
    sparse_refusal="Adam does not support sparse gradients, please consider SparseAdam instead",
    use="LLM training",
)
